"""The page: one HTML file that shows a trace, offline: steps, pictures, source, kernels, memory.

    build.py     the file: template, style and program from assets/, put together. START HERE
    content.py   the trace as the JSON that the program reads
    changes.py   what a rewrite changed, as two short formulas
    timing.py    the times of a profile, by node and by line
    sources.py   the lines of the user's program that are shown
    assets/      HTML, CSS and JavaScript; app.js says which file does what

Everything on the page is in the file: it fetches nothing, and its security policy forbids it to.
"""
