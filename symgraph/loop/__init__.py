"""The loop IR: what lowering writes and every backend reads.

``ir`` has the grammar and the dataclasses (start there), ``words`` the closed vocabulary of
scalar functions with their meaning, ``build`` short constructors, ``text`` the printer and the
parser, ``verify`` the rules, ``interp`` the meaning of kernels and programs in plain Python,
``simplify`` exact arithmetic on index expressions, ``traverse`` walks without recursion.
It imports ``symgraph.errors`` and NumPy only.
"""
