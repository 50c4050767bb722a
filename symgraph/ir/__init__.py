"""The tensor IR: immutable, interned nodes with dtypes and symbolic shapes. It knows no op.

==================  ==============================================================================
module              what it holds
==================  ==============================================================================
``dtype``           dtypes and their promotion, as NumPy 2's
``dim``             dimensions: numbers, names, unknowns, and what is computed from them
``dim_algebra``     their arithmetic, in normal form
``type``            ``TensorType``, ``TupleType``, and the checks that shape inference leaves
``op``              ``Op``, one row of the op table, and the registry of rows
``node``            ``Node`` and ``make_node``: equal expressions are one object
``graph``           ``Graph``, walks without recursion, replacing nodes, tables for pickling
``variable``        ``Variable``: what users hold, with names, lines and operators
``origin``          the line of the user's program that made a node
``resolve``         which dims of a graph are equal
``verify``          is a graph legal?
``text``            a graph as text, and back
``literal``         dims, types and attributes as text
``parse``           and back; ``tokens`` are its words and signs
``views``           a graph as a tree, and as a formula
==================  ==============================================================================

Read ``node`` first, then ``graph`` and ``type``.
"""
