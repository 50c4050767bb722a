"""What people do with symgraph outside a program: the command line, views, demo, data.

    cli.py       the command ``symgraph``; start here
    demo.py      ``symgraph demo``: trains two classifiers of handwritten digits
    datasets.py  the data that comes with the project
    data/        its files, each with its licence beside it

Tools read every layer of ``symgraph``; nothing in ``symgraph`` imports a tool. Importing this
package imports nothing, so that ``symgraph --help`` stays quick.
"""
