"""symgraph."""
