"""What people do with symgraph outside a program: the command line, views, demo, data.

    cli.py            the command ``symgraph``; start here
    target.py         what a command is pointed at: a file, a module's attribute, a saved graph
    demo.py           ``symgraph demo``: trains the two classifiers of handwritten digits that are
                      in classifiers.py, and compares with plain_numpy.py
    changes.py        what the compiler changed and why, as text
    graph_drawing.py  a graph as a Drawing (drawing.py), which svg.py, dot.py, raster.py, ... write
    datasets.py       the data that comes with the project
    data/             its files, each with its licence beside it

Tools read every layer of ``symgraph``; nothing in ``symgraph`` imports a tool. Importing this
package imports nothing, so that ``symgraph --help`` stays quick.
"""
