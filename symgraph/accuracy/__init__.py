"""How accurate a function is: ``f.accuracy(...)``, and what it is measured with.

``wide_values`` evaluates a graph in double-double on NumPy arrays; ``report`` compares what the
formula as written and the compiled function give, and says which line, rule and guard matter.
"""
