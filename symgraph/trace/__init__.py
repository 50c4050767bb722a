"""What the compiler did, as one value that every view is a function of: ``symgraph.trace/1``.

The modules, in the order in which they use each other::

    record.py     what compiling writes down while it runs (names and references, nothing copied)
    format.py     the format: rows, steps, stages, kernels, buffers. START READING HERE
    weave.py      one graph whose nodes keep their numbers through all rewrites
    story.py      a record as steps of such a graph
    cost.py       bytes and operations of a kernel; steps.py: of the steps of a program
    parts.py      kernels, memory plan and checks of a compiled program
    trace.py      ``Trace``: what ``f.trace`` is and a ``.sgtrace`` file holds
    make.py       the trace of a compiled function
    explain.py    from lines to nodes to rewrites to kernels, and back (wording.py, example.py)
    write.py      a trace as JSON or a zip; read.py reads it, without trust
"""
