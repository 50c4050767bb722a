"""Special functions: ``sg.special``."""

from symgraph.ops.defects import cosm1 as cosm1
from symgraph.ops.defects import exprel as exprel
from symgraph.ops.defects import log1pmx as log1pmx
from symgraph.ops.defects import pow1p as pow1p
from symgraph.ops.defects import pow1pm1 as pow1pm1
from symgraph.ops.defects import sinc_radians as sinc_radians
from symgraph.ops.defects import sinhc as sinhc
from symgraph.ops.defects import softplus_inverse as softplus_inverse
from symgraph.ops.defects import sqrt1pm1 as sqrt1pm1
from symgraph.ops.math import hypot as hypot
from symgraph.ops.math import log1mexp as log1mexp
from symgraph.ops.math import logaddexp as logaddexp
from symgraph.ops.math import logit as logit
from symgraph.ops.math import logsubexp as logsubexp
from symgraph.ops.math import sinc as sinc
from symgraph.ops.math import softplus as softplus
from symgraph.ops.math import xlog1py as xlog1py
from symgraph.ops.math import xlogy as xlogy
from symgraph.ops.polygamma import polygamma as polygamma
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
from symgraph.ops.special import trigamma as trigamma

log1pexp = softplus
