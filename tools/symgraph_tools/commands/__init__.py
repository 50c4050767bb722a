"""The commands of ``symgraph``, one a module; ``symgraph_tools.cli`` has the table of them."""
