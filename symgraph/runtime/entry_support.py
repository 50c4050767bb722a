"""What all entries share, as LLVM text: the way into Python, the arena, numbers, results.

Compiled once and kept on disk. All of it runs under the GIL, which is the only lock: arenas are a
list per function (a call takes the first and puts it back), so that concurrent calls have one each
and a steady call allocates none.
"""

from __future__ import annotations

from symgraph.runtime import result_memory
from symgraph.runtime.layout import FLOAT_VALUE, FREE_ARENAS, Layout
from symgraph.runtime.result_memory import ADVICE_HUGE, HUGE_PAGE, LEAST

HEADER = 64  # bytes before an arena's first: the next in the list, and its size
NUMBERS = {"d": 0, "f": 1, "l": 2, "q": 2}  # dtypes whose scalars may be Python numbers
C_CONTIGUOUS, OWNS_DATA, ALIGNED, WRITEABLE = 0x1, 0x4, 0x100, 0x400  # NumPy's flags

DECLARATIONS = """
declare ptr @sg_slow(ptr, ptr, i64, ptr)
declare ptr @sg_number(ptr, i32, ptr)
declare ptr @sg_take(ptr, i64)
declare void @sg_put(ptr, ptr)
declare void @sg_fail(ptr, i64, i32, ptr)
declare void @sg_drop(ptr, i64)
declare ptr @sg_new(ptr, i32, ptr)
declare ptr @sg_fresh(ptr, i32, ptr, i64)
declare void @sg_retire(ptr, ptr)
declare ptr @sg_reuse(ptr, i32, ptr)
declare ptr @sg_build(ptr, ptr)
declare void @sg_cancelled()
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @"np.Scalar"(ptr, ptr, ptr)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)
@sg_committing = external global i32
@"np.ndarray" = external global i8
@_Py_NoneStruct = external global i8
@_Py_NotImplementedStruct = external global i8
"""


def text(at: Layout) -> str:
    """The module, for a layout of arrays."""
    results = f"{_RESULTS}{result_memory.TEXT}{_retire(at)}{_reuse(at)}"
    return f"{_HEAD}{_SLOW}{_number()}{_arena()}{results}"


_HEAD = """
@sg_python_call = global ptr null
@sg_python_fail = global ptr null
@sg_python_build = global ptr null
@PyFloat_Type = external global i8
@PyLong_Type = external global i8
@"np.float64" = external global i8
@"np.ndarray" = external global i8
@PyExc_KeyboardInterrupt = external global ptr
@.fail = private constant [8 x i8] c"OLiLLLL\\00"
@.build = private constant [3 x i8] c"OO\\00"
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyObject_CallFunction(ptr, ptr, ...)
declare i64 @PyTuple_Size(ptr)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyErr_NoMemory()
declare void @PyErr_SetNone(ptr)
declare ptr @"np.NewFromDescr"(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare i32 @posix_memalign(ptr, i64, i64)
declare i32 @madvise(ptr, i64, i32)
declare void @free(ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""

# The Python path: the same arguments, with the function before them.
_SLOW = """
define ptr @sg_slow(ptr %self, ptr %args, i64 %nargs, ptr %names) {
  %named = icmp ne ptr %names, null
  br i1 %named, label %count, label %copy
count:
  %more = call i64 @PyTuple_Size(ptr %names)
  br label %copy
copy:
  %extra = phi i64 [0, %0], [%more, %count]
  %given = add i64 %nargs, %extra
  %size = add i64 %given, 1
  %all = alloca ptr, i64 %size
  store ptr %self, ptr %all
  %rest = getelementptr ptr, ptr %all, i64 1
  %bytes = shl i64 %given, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %rest, ptr %args, i64 %bytes, i1 false)
  %way = load ptr, ptr @sg_python_call
  %count1 = add i64 %nargs, 1
  %r = call ptr @PyObject_Vectorcall(ptr %way, ptr %all, i64 %count1, ptr %names)
  ret ptr %r
}

; raises what a failure code means
define void @sg_fail(ptr %self, i64 %block, i32 %code, ptr %facts) {
  %f0 = load i64, ptr %facts
  %p1 = getelementptr i64, ptr %facts, i64 1
  %f1 = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %facts, i64 2
  %f2 = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %facts, i64 3
  %f3 = load i64, ptr %p3
  %way = load ptr, ptr @sg_python_fail
  %r = call ptr (ptr, ptr, ...) @PyObject_CallFunction(ptr %way, ptr @.fail, ptr %self, i64 %block,
       i32 %code, i64 %f0, i64 %f1, i64 %f2, i64 %f3)
  ret void
}

; a result of null is always an exception
define void @sg_cancelled() {
  %kind = load ptr, ptr @PyExc_KeyboardInterrupt
  call void @PyErr_SetNone(ptr %kind)
  ret void
}

; results in the nesting that the user asked for
define ptr @sg_build(ptr %self, ptr %results) {
  %way = load ptr, ptr @sg_python_build
  %r = call ptr (ptr, ptr, ...) @PyObject_CallFunction(ptr %way, ptr @.build, ptr %self,
       ptr %results)
  call void @Py_DecRef(ptr %results)
  ret ptr %r
}
"""


def _number() -> str:
    """``sg_number``: the address of a Python number's value as a dtype, or null to go slowly."""
    return f"""
define ptr @sg_number(ptr %object, i32 %kind, ptr %slot) {{
  %ptype = getelementptr i8, ptr %object, i64 8
  %type = load ptr, ptr %ptype
  %value = getelementptr i8, ptr %object, i64 {FLOAT_VALUE}
  %overflow = alloca i32
  %is_float = icmp eq ptr %type, @PyFloat_Type
  br i1 %is_float, label %float, label %other
float:
  switch i32 %kind, label %no [i32 0, label %here
                               i32 1, label %single]
single:
  %wide = load double, ptr %value
  %narrow = fptrunc double %wide to float
  store float %narrow, ptr %slot
  ret ptr %slot
other:
  %is_wide = icmp eq ptr %type, @"np.float64"
  %is_double = icmp eq i32 %kind, 0
  %both = and i1 %is_wide, %is_double
  br i1 %both, label %here, label %int
int:
  %is_int = icmp eq ptr %type, @PyLong_Type
  br i1 %is_int, label %whole, label %no
whole:
  %n = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  %over = load i32, ptr %overflow
  %fits = icmp eq i32 %over, 0
  br i1 %fits, label %store, label %no
store:
  switch i32 %kind, label %no [i32 0, label %real
                               i32 2, label %same]
real:
  %x = sitofp i64 %n to double
  store double %x, ptr %slot
  ret ptr %slot
same:
  store i64 %n, ptr %slot
  ret ptr %slot
here:
  ret ptr %value
no:
  ret ptr null
}}
"""


def _arena() -> str:
    """``sg_take`` and ``sg_put``: memory for temporaries, 64-byte aligned."""
    return f"""
define ptr @sg_take(ptr %block, i64 %bytes) {{
  %slot = alloca ptr
  %list = getelementptr i8, ptr %block, i64 {FREE_ARENAS}
  %first = load ptr, ptr %list
  %some = icmp ne ptr %first, null
  br i1 %some, label %pop, label %make
pop:
  %next = load ptr, ptr %first
  store ptr %next, ptr %list
  %psize = getelementptr i8, ptr %first, i64 8
  %size = load i64, ptr %psize
  %enough = icmp uge i64 %size, %bytes
  br i1 %enough, label %have, label %small
small:
  call void @free(ptr %first)
  br label %make
make:
  %least = add i64 %bytes, {HEADER}
  %huge = icmp uge i64 %least, {LEAST}
  %whole = call i64 @sg_whole(i64 %least)
  %total = select i1 %huge, i64 %whole, i64 %least
  %align = select i1 %huge, i64 {HUGE_PAGE}, i64 {HEADER}
  %error = call i32 @posix_memalign(ptr %slot, i64 %align, i64 %total)
  %failed = icmp ne i32 %error, 0
  br i1 %failed, label %none, label %made
made:
  %fresh = load ptr, ptr %slot
  br i1 %huge, label %advise, label %ready
advise:                                             ; before its first page is touched
  call i32 @madvise(ptr %fresh, i64 %total, i32 {ADVICE_HUGE})
  br label %ready
ready:
  %pfresh = getelementptr i8, ptr %fresh, i64 8
  store i64 %bytes, ptr %pfresh
  br label %have
have:
  %arena = phi ptr [%first, %pop], [%fresh, %ready]
  %start = getelementptr i8, ptr %arena, i64 {HEADER}
  ret ptr %start
none:
  %r = call ptr @PyErr_NoMemory()
  ret ptr null
}}

define void @sg_put(ptr %block, ptr %start) {{
  %arena = getelementptr i8, ptr %start, i64 -{HEADER}
  %list = getelementptr i8, ptr %block, i64 {FREE_ARENAS}
  %first = load ptr, ptr %list
  store ptr %first, ptr %arena
  store ptr %arena, ptr %list
  ret void
}}
"""


_RESULTS = """
define ptr @sg_new(ptr %descr, i32 %nd, ptr %dims) {
  call void @Py_IncRef(ptr %descr)                ; the constructor takes this reference
  %r = call ptr @"np.NewFromDescr"(ptr @"np.ndarray", ptr %descr, i32 %nd, ptr %dims, ptr null,
       ptr null, i32 0, ptr null)
  ret ptr %r
}

define void @sg_drop(ptr %objects, i64 %count) {
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %each, label %end
each:
  %i = phi i64 [0, %0], [%next, %step]
  %p = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %p
  %is = icmp ne ptr %object, null
  br i1 %is, label %drop, label %step
drop:
  call void @Py_DecRef(ptr %object)
  br label %step
step:
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %each, label %end
end:
  ret void
}
"""


def _retire(at: Layout) -> str:
    """``sg_retire``: keeps an old value that nobody else refers to for the next call to write."""
    return f"""
define void @sg_retire(ptr %spare, ptr %array) {{
  %count = load i64, ptr %array
  %alone = icmp eq i64 %count, 1
  %kept = load ptr, ptr %spare
  %empty = icmp eq ptr %kept, null
  %ptype = getelementptr i8, ptr %array, i64 {at.type}
  %type = load ptr, ptr %ptype
  %exact = icmp eq ptr %type, @"np.ndarray"
  %a = and i1 %alone, %empty
  %b = and i1 %a, %exact
  br i1 %b, label %look, label %drop
look:
  %pflags = getelementptr i8, ptr %array, i64 {at.flags}
  %flags = load i32, ptr %pflags
  %need = and i32 %flags, {OWNS_DATA | ALIGNED | C_CONTIGUOUS}
  %owns = icmp eq i32 %need, {OWNS_DATA | ALIGNED | C_CONTIGUOUS}
  br i1 %owns, label %keep, label %drop
keep:
  store ptr %array, ptr %spare
  ret void
drop:
  call void @Py_DecRef(ptr %array)
  ret void
}}
"""


def _reuse(at: Layout) -> str:
    """``sg_reuse``: the kept array if it has these dims, writable again; null otherwise."""
    return f"""
define ptr @sg_reuse(ptr %spare, i32 %nd, ptr %dims) {{
  %array = load ptr, ptr %spare
  %is = icmp ne ptr %array, null
  br i1 %is, label %look, label %no
look:
  store ptr null, ptr %spare
  %pdims = getelementptr i8, ptr %array, i64 {at.dims}
  %own = load ptr, ptr %pdims
  %any = icmp sgt i32 %nd, 0
  br i1 %any, label %each, label %yes
each:
  %k = phi i32 [0, %look], [%k1, %same]
  %pa = getelementptr i64, ptr %own, i32 %k
  %pb = getelementptr i64, ptr %dims, i32 %k
  %a = load i64, ptr %pa
  %b = load i64, ptr %pb
  %eq = icmp eq i64 %a, %b
  br i1 %eq, label %same, label %drop
same:
  %k1 = add i32 %k, 1
  %more = icmp slt i32 %k1, %nd
  br i1 %more, label %each, label %yes
yes:
  %pflags = getelementptr i8, ptr %array, i64 {at.flags}
  %flags = load i32, ptr %pflags
  %open = or i32 %flags, {WRITEABLE}
  store i32 %open, ptr %pflags
  ret ptr %array
drop:
  call void @Py_DecRef(ptr %array)
  br label %no
no:
  ret ptr null
}}
"""
