"""The curve of certified accuracy."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flt.display.drawing import drawing, entitle, frame
from flt.display.figure_style import USUAL, FigureStyle
from flt.display.style import BENIGN, ERROR


def draw_certificate(title: str, curve: Sequence[float], accuracy: float, style: FigureStyle = USUAL) -> Figure:
    """Draws certified accuracy against the number of malicious clients.

    Args:
        title: Headline.
        curve: Certified accuracy under 0, 1, ... malicious clients.
        accuracy: Accuracy of the vote without an attack.
        style: Size, letters and headline.
    """
    with drawing(style):
        figure = Figure(figsize=(5.5, 3.4), layout="constrained")
        entitle(figure, title, style)
        axis = figure.subplots()
        axis.step(range(len(curve)), curve, where="post", color=ERROR, marker="o", label="certified")
        axis.axhline(accuracy, color=BENIGN, linestyle="--", label="without an attack")
        axis.set(xlabel="malicious clients, at most", ylabel="accuracy", ylim=(0, 1.02), xlim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        frame(axis)
        if style.legend != "none":
            axis.legend(frameon=False)
    return figure
