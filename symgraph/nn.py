"""Parts of networks: ``sg.nn``."""

from symgraph.ops import activation as _activation
from symgraph.ops.layers import attention as attention
from symgraph.ops.layers import binary_cross_entropy as binary_cross_entropy
from symgraph.ops.layers import cross_entropy as cross_entropy
from symgraph.ops.layers import dropout as dropout
from symgraph.ops.layers import embedding as embedding
from symgraph.ops.layers import gru_cell as gru_cell
from symgraph.ops.layers import layer_norm as layer_norm
from symgraph.ops.layers import linear as linear
from symgraph.ops.layers import lstm_cell as lstm_cell
from symgraph.ops.layers import mean_squared_error as mean_squared_error
from symgraph.ops.layers import rms_norm as rms_norm
from symgraph.ops.nn import LOG_SOFTMAX as log_softmax
from symgraph.ops.nn import SOFTMAX as softmax

relu, relu6, leaky_relu = _activation.relu, _activation.relu6, _activation.leaky_relu
elu, celu, selu, silu = _activation.elu, _activation.celu, _activation.selu, _activation.silu
mish, gelu, softsign = _activation.mish, _activation.gelu, _activation.softsign
log_sigmoid, hard_tanh = _activation.log_sigmoid, _activation.hard_tanh
hard_sigmoid, hard_silu = _activation.hard_sigmoid, _activation.hard_silu

__all__ = [
    "attention", "binary_cross_entropy", "celu", "cross_entropy", "dropout", "elu", "embedding",
    "gelu", "gru_cell", "hard_sigmoid", "hard_silu", "hard_tanh", "layer_norm", "leaky_relu",
    "linear", "log_sigmoid", "log_softmax", "lstm_cell", "mean_squared_error", "mish", "relu",
    "relu6", "rms_norm", "selu", "silu", "softmax", "softsign",
]  # fmt: skip
