"""From loop IR to something that runs; never sees a Node or an Op.

``backend`` is the table of backends (start there): ``llvm_cpu``, the default, ``interp``,
``numba_cpu`` and ``numba_cuda``. ``llvm_program`` and ``llvm_kernel`` write LLVM from the loop IR
(``llvm_statement`` and ``llvm_expression`` what is in a kernel, ``llvm_parallel`` its loops for
several threads, ``llvm_text`` the builder, ``llvm_library`` calls of libraries).
``llvm_words`` says what each word is in LLVM, for every route (``llvm_complex`` the long ones,
``functions`` the elementary functions). ``objects`` makes object code with LLVM (``target``: for
which processor) and has it linked (``link``) to an ``image``; ``artefact`` is that of a program,
and ``loader`` puts it into memory without LLVM (``llvm_loader``: where ``link`` knows no such
objects; ``processor``: what processor this is).

``python_kernel`` and ``python_program`` write readable Python (``spelling`` its expressions,
``source`` the writer). ``plain`` runs that text in plain Python; ``numba_build`` compiles it as
one unit, with ``numba_words`` and ``numba_memory`` for the names in it (``numba_api``: all that is
used of numba). ``library`` holds the rows for products and sorting, ``library_calls`` and
``library_loops`` their code, ``blas`` and ``blas_fortran`` the addresses of BLAS functions.

``product_entry`` is the code of matrix products: ``product_choice`` says how a product is done,
``product_forms`` are the ways, over ``product_panel`` (loops, packing, turning), ``product_kernel``
and ``product_dots`` (blocks in registers), written with ``product_code``; ``product_build`` makes
one object of all of it, or of what ``product_parts`` says that a program's sizes call.
"""
