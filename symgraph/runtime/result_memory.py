"""Memory of large results, as LLVM text: what a dropped result leaves is the next one's.

The C library gives large blocks back to the system when they are freed, and each first touch of a
page of a new one costs a microsecond: more than the loop that writes it. So results of ``LEAST``
bytes and more lie in blocks of our own, in huge pages (a page of 4 kB costs 0.7 us at its first
touch, one of 2 MB 100 us), at a cache line's beginning; their base is
a capsule, whose end puts the block into a list. The list is short and bounded in bytes, the oldest
blocks go first. All of it runs under the GIL.
"""

from __future__ import annotations

LEAST = 1 << 20  # bytes of a result that gets a block
MOST_BLOCKS = 4  # in the list: two results, of two calls
MOST_BYTES = 128 << 20  # in the list
HEADER = 64  # bytes before a block's first: the next in the list, and its size
_USUAL = 0x1 | 0x100 | 0x400  # NumPy's flags: C-contiguous, aligned, writeable
ADVICE_HUGE = 14  # MADV_HUGEPAGE
HUGE_PAGE = 1 << 21
_LARGEST = 1 << 46  # bytes; beyond, NumPy says what is wrong

TEXT = f"""
@sg_blocks = internal global ptr null
declare ptr @PyCapsule_New(ptr, ptr, ptr)
declare ptr @PyCapsule_GetPointer(ptr, ptr)
declare i32 @"np.SetBaseObject"(ptr, ptr)
declare {{i64, i1}} @llvm.umul.with.overflow.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)

; bytes to ask for: what half a huge page or more is left over of becomes a whole one
define internal i64 @sg_whole(i64 %n) {{
  %up = add i64 %n, {HUGE_PAGE // 2}
  %near = and i64 %up, {-HUGE_PAGE}
  %size = call i64 @llvm.umax.i64(i64 %n, i64 %near)
  ret i64 %size
}}

; a new array: in a block of ours if it is large
define ptr @sg_fresh(ptr %descr, i32 %nd, ptr %dims, i64 %itemsize) {{
  %slot = alloca ptr
  br label %each
each:
  %k = phi i32 [0, %0], [%k1, %counted]
  %n = phi i64 [%itemsize, %0], [%product, %counted]
  %axis = icmp slt i32 %k, %nd
  br i1 %axis, label %count, label %counted_all
count:
  %pd = getelementptr i64, ptr %dims, i32 %k
  %d = load i64, ptr %pd
  %both = call {{i64, i1}} @llvm.umul.with.overflow.i64(i64 %n, i64 %d)
  %product = extractvalue {{i64, i1}} %both, 0
  %over = extractvalue {{i64, i1}} %both, 1
  br i1 %over, label %plain, label %counted
counted:
  %k1 = add i32 %k, 1
  br label %each
counted_all:
  %large = icmp uge i64 %n, {LEAST}
  %sane = icmp ult i64 %n, {_LARGEST}
  %ours = and i1 %large, %sane
  br i1 %ours, label %find, label %plain
plain:
  %usual = call ptr @sg_new(ptr %descr, i32 %nd, ptr %dims)
  ret ptr %usual
find:
  %place = phi ptr [@sg_blocks, %counted_all], [%seen, %next]
  %seen = load ptr, ptr %place
  %end = icmp eq ptr %seen, null
  br i1 %end, label %make, label %look
look:
  %pseen = getelementptr i8, ptr %seen, i64 8
  %size = load i64, ptr %pseen
  %spare = sub i64 %size, %n
  %most = lshr i64 %n, 2
  %fits = icmp ule i64 %spare, %most                ; unsigned: too small is too large
  br i1 %fits, label %take, label %next
next:
  br label %find
take:
  %following = load ptr, ptr %seen
  store ptr %following, ptr %place
  br label %have
make:
  %least = add i64 %n, {HEADER}
  %total = call i64 @sg_whole(i64 %least)
  %error = call i32 @posix_memalign(ptr %slot, i64 {HUGE_PAGE}, i64 %total)
  %failed = icmp ne i32 %error, 0
  br i1 %failed, label %plain, label %made
made:
  %new = load ptr, ptr %slot
  call i32 @madvise(ptr %new, i64 %total, i32 {ADVICE_HUGE})    ; before its first page is touched
  %pnew = getelementptr i8, ptr %new, i64 8
  store i64 %n, ptr %pnew
  br label %have
have:
  %block = phi ptr [%seen, %take], [%new, %made]
  %data = getelementptr i8, ptr %block, i64 {HEADER}
  %owner = call ptr @PyCapsule_New(ptr %block, ptr null, ptr @sg_left)
  %none = icmp eq ptr %owner, null
  br i1 %none, label %lost, label %owned
lost:
  call void @free(ptr %block)
  ret ptr null
owned:
  call void @Py_IncRef(ptr %descr)                  ; the constructor takes this reference
  %r = call ptr @"np.NewFromDescr"(ptr @"np.ndarray", ptr %descr, i32 %nd, ptr %dims, ptr null,
       ptr %data, i32 {_USUAL}, ptr null)
  %bad = icmp eq ptr %r, null
  br i1 %bad, label %drop, label %good
drop:
  call void @Py_DecRef(ptr %owner)
  ret ptr null
good:
  call i32 @"np.SetBaseObject"(ptr %r, ptr %owner)  ; takes the reference to the owner
  ret ptr %r
}}

; the end of a large result: its block is the first of the list, and what is too much is freed
define internal void @sg_left(ptr %capsule) {{
  %block = call ptr @PyCapsule_GetPointer(ptr %capsule, ptr null)
  %first = load ptr, ptr @sg_blocks
  store ptr %first, ptr %block
  store ptr %block, ptr @sg_blocks
  br label %each
each:
  %place = phi ptr [@sg_blocks, %0], [%node, %kept], [%place, %free]
  %count = phi i64 [0, %0], [%count1, %kept], [%count, %free]
  %bytes = phi i64 [0, %0], [%sum, %kept], [%bytes, %free]
  %node = load ptr, ptr %place
  %end = icmp eq ptr %node, null
  br i1 %end, label %done, label %look
look:
  %psize = getelementptr i8, ptr %node, i64 8
  %size = load i64, ptr %psize
  %sum = add i64 %bytes, %size
  %count1 = add i64 %count, 1
  %many = icmp ugt i64 %count1, {MOST_BLOCKS}
  %much = icmp ugt i64 %sum, {MOST_BYTES}
  %excess = or i1 %many, %much
  br i1 %excess, label %free, label %kept
free:
  %following = load ptr, ptr %node
  store ptr %following, ptr %place
  call void @free(ptr %node)
  br label %each
kept:
  br label %each
done:
  ret void
}}
"""
