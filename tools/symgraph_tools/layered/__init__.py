"""The layered layout of a directed graph, on plain lists of numbers; ``layout`` is its front.

Read in the order in which they run: ``ranks`` (with ``simplex``), ``grid`` (the graph cut into
layers), ``ordering`` (with ``crossings`` and ``siblings``), ``alignment``, ``separation`` and
``tightening`` (coordinates along the layers), ``routes``. Nothing recurses and
nothing is random: equal input gives equal output.

Sources: Sugiyama, Tagawa & Toda 1981, IEEE Trans. SMC 11(2); Gansner, Koutsofios, North & Vo 1993,
IEEE Trans. Softw. Eng. 19(3); Brandes & Koepf 2001, Graph Drawing; Barth, Juenger & Mutzel 2002,
Graph Drawing.
"""
