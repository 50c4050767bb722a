"""Special functions: ``sg.special``."""

from symgraph.ops.math import log1mexp as log1mexp
from symgraph.ops.math import logsubexp as logsubexp
from symgraph.ops.math import sinc as sinc
from symgraph.ops.math import xlog1py as xlog1py
from symgraph.ops.math import xlogy as xlogy
from symgraph.ops.special import digamma as digamma
from symgraph.ops.special import erf as erf
from symgraph.ops.special import erfc as erfc
from symgraph.ops.special import erfcinv as erfcinv
from symgraph.ops.special import erfcx as erfcx
from symgraph.ops.special import erfinv as erfinv
from symgraph.ops.special import gamma as gamma
from symgraph.ops.special import gammaln as gammaln
from symgraph.ops.special import lbeta as lbeta
from symgraph.ops.special import log_ndtr as log_ndtr
from symgraph.ops.special import ndtr as ndtr
from symgraph.ops.special import ndtri as ndtri
from symgraph.ops.special import polygamma as polygamma
from symgraph.ops.special import trigamma as trigamma
