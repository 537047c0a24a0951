"""Draw the logo and the favicon: `python book/images/draw_logo.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

UNITS = [(0, 1), (0, -1), (1.6, 1), (1.6, -1), (3.2, 0)]
# From unit, to unit, weight. No two alike: the hidden units must not be twins.
WEIGHTS = [(0, 2, 5), (0, 3, -2), (1, 2, -8), (1, 3, 3), (2, 4, 7), (3, 4, -4)]
# Light enough for a dark page and dark enough for a light one.
POSITIVE, NEGATIVE, UNIT = "#009E73", "#D55E00", "#3A8FC8"


def draw() -> Figure:
    """Return the logo as a square figure on a transparent ground."""
    figure = plt.figure(figsize=(2, 2))
    ax = figure.add_axes((0, 0, 1, 1), aspect="equal")
    ax.set(xlim=(-0.6, 3.8), ylim=(-2.2, 2.2))
    ax.axis("off")
    for start, end, weight in WEIGHTS:
        x, y = zip(UNITS[start], UNITS[end], strict=True)
        color = POSITIVE if weight > 0 else NEGATIVE
        ax.plot(x, y, color=color, linewidth=1.2 * abs(weight), zorder=1)
    ax.scatter(*zip(*UNITS, strict=True), s=900, color=UNIT, zorder=2)
    return figure


if __name__ == "__main__":
    folder = Path(__file__).parent
    plt.rcParams["savefig.transparent"] = True
    plt.rcParams["svg.hashsalt"] = "nnlab"  # the same file every time
    figure = draw()
    figure.savefig(
        folder / "logo.svg", metadata={"Date": None, "Creator": None}
    )
    figure.savefig(folder / "favicon.png", dpi=32, metadata={"Software": None})
