"""From an optimized graph to a loop program.

``words``      the builder that op rows write their elements with
``demand``     which nodes get a buffer, and which are computed where they are read
``stage``      one loop nest per stored node: iteration space, value, dependences
``cluster``    stages that share outer loops become one kernel
``nest``       a cluster as a ``Kernel`` of the loop IR
``program``    clusters, library calls and control flow in order: a ``Program``
``memory``     lifetimes of temporaries, and the arena they share
"""
