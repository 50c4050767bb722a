"""Linear algebra: ``sg.linalg``."""

from symgraph.ops.create import diagonal as diagonal
from symgraph.ops.create import trace as trace
from symgraph.ops.linalg import cross as cross
from symgraph.ops.linalg import matmul as matmul
from symgraph.ops.linalg import matrix_power as matrix_power
from symgraph.ops.linalg import multi_dot as multi_dot
from symgraph.ops.linalg import outer as outer
from symgraph.ops.linalg import tensordot as tensordot
from symgraph.ops.linalg import vecdot as vecdot
from symgraph.ops.shape import matrix_transpose as matrix_transpose
from symgraph.ops.statistics import norm as norm
from symgraph.ops.statistics import vector_norm as vector_norm
