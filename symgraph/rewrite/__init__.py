"""Rewriting: rules as data, an engine that applies them, tables of them.

Read in this order: ``pipeline.py`` (the passes), ``stabilize.py`` (what a rule looks like),
``rule.py``, ``pattern.py`` and ``match.py`` (what it means), ``engine.py`` (how rules are applied),
``facts.py`` (conditions), ``terms.py`` and ``products.py`` (sums and products as lists).
"""
