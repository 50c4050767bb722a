"""Benchmarks: what ``symgraph bench`` runs, measures and prints. Read in this order:

workload     what a workload is; ``collections`` has all of them
elementwise, functions, reductions, indexing, products, windows, sequences, models, small: what
             they are
engines      the array libraries a workload can run on
child        one workload on one engine, in a process of its own
runner       engines taking turns, rounds, caches
limits       what this machine can do: copying, reading, multiplying
accuracy_cost  modes of accuracy against the formula as written
report       table, comparison;  roofline: the picture
"""
