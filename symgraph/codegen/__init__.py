"""From loop IR to something that runs; never sees a Node or an Op.

``backend`` is the table of backends (start there). ``numba_cpu`` writes a kernel as Python
source that a person can read and numba can compile, ``artefact`` turns a compiled program into
object code that loads with llvmlite alone, ``library`` holds the rows for matrix products.
"""
