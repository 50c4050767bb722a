"""The loop IR: what lowering writes and every backend reads.

``ir`` has the grammar and the dataclasses (start there), ``words`` the closed vocabulary of scalar
functions with their meaning, ``build`` short constructors, ``text`` and ``parse`` the printer and
its inverse, ``verify`` (with ``verify_kernel``) the rules, ``interp`` the meaning of kernels and
``run`` that of programs, ``simplify`` exact arithmetic on index expressions, ``traverse`` walks
without recursion. It imports ``symgraph.errors`` and NumPy only.
"""

MAX_FACTS = 4
"""How many numbers tell what a failure was about."""
GAVE_UP = -1
"""What a program returns that stopped after as many turns of ``Loop`` as it was given."""
NO_RESCUE = -2
"""What one returns if a lane was in doubt and its slow form could not be loaded meanwhile."""
