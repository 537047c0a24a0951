"""What Matplotlib draws with on a live page."""

from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas  # noqa: F401

from shell import show  # noqa: F401
