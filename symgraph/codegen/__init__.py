"""From loop IR to something that runs; never sees a Node or an Op.

``backend`` is the table of backends (start there): ``interp`` and ``numba_cpu``.
``python_kernel`` and ``python_program`` write readable Python (``spelling`` its expressions,
``source`` the writer). ``plain`` runs that text in plain Python; ``numba_build`` compiles it as
one unit, with ``numba_words``, ``numba_complex``, ``numba_memory`` and ``functions`` for the names
in it (``numba_api``: all that is used of numba). ``artefact`` makes object code of it, which loads
with llvmlite alone (``target``: for which processor). ``library`` holds the rows for products and
sorting, ``library_blas`` and ``library_loops`` their code, ``blas`` and ``blas_fortran`` the
addresses of BLAS functions.
"""
