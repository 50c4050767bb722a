"""Tests of symgraph.lower."""
