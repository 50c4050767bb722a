"""Random numbers from counters: ``sg.random``. The same key gives the same bits everywhere."""

from functools import partial

from symgraph.ops.random import Stream as _Stream
from symgraph.ops.random import bernoulli as bernoulli
from symgraph.ops.random import bits as bits
from symgraph.ops.random import categorical as categorical
from symgraph.ops.random import choice as choice
from symgraph.ops.random import exponential as exponential
from symgraph.ops.random import fold_in as fold_in
from symgraph.ops.random import gumbel as gumbel
from symgraph.ops.random import key as key
from symgraph.ops.random import laplace as laplace
from symgraph.ops.random import normal as normal
from symgraph.ops.random import permutation as permutation
from symgraph.ops.random import randint as randint
from symgraph.ops.random import split as split
from symgraph.ops.random import truncated_normal as truncated_normal
from symgraph.ops.random import uniform as uniform
from symgraph.runtime.shared import shared as _shared

Stream = partial(_Stream, shared=_shared)
"""A generator with state: every call of a function that draws from it advances it."""
