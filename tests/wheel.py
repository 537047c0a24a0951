"""Try the installed wheel in an environment that holds nothing else: part of `make dist`."""

from importlib.metadata import version
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from nnlab.datasets import xor
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import fit

mpl.use("Agg")
plt.style.use("nnlab.nnlab")
net = MLP((2, 8, 1), "tanh", "xavier_uniform", rng=np.random.default_rng(0))
history = fit(net, *xor(), "binary_cross_entropy", SGD(lr=1.0), epochs=500)
assert history.loss[-1] < 0.05
plt.plot(history.loss)
plt.savefig(BytesIO(), format="svg")
print(f"nnlab {version('nnlab')} is installed, draws and learns")
