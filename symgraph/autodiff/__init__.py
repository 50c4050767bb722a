"""Differentiation of graphs: reverse mode (``vjp``), and what users call (``transform``)."""
