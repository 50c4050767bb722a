"""Tools for the rule base: the catalogue of all rules, and a search for rules that are missing.

    python -m symgraph_tools.rules catalogue            prints symgraph/rewrite/RULES.md
    python -m symgraph_tools.rules search "1 - cos(x)" --domain x=1e-9,1

``examples``: a formula for every rule; ``truth``: its value in 400 digits, and errors in bits;
``points``: where to look; ``measure``: bits before and after. They need mpmath, which using
symgraph does not.
"""
