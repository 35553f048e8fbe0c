"""The pictures of a haystack's page: precision and recall, edits, calibration."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vcd.report import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["RUN_NAMES", "calibration_plot", "curves_plot", "edits_plot"]

Array = npt.NDArray[np.float64]

_GREY = "#7a8594"  # legible on white and on black
_COLOURS = {"any": "#0a9aa8", "visual": "#6b83e8", "audio": "#c8569b"}
RUN_NAMES = {"any": "fused, all rows", "visual": "by picture", "audio": "by sound"}


def curves_plot(curves: Mapping[str, Array], operating_point: tuple[float, float]) -> bytes:
    """Draw precision against recall, as SVG.

    Parameters
    ----------
    curves : mapping of str to ndarray of float64, shape (n, 3)
        By run, rows of score, precision and recall.
    operating_point : (float, float)
        Precision and recall of the fused run at its threshold; NaN draws none.
    """
    figure, axes = _new(4.6, 3.6)
    for run, curve in curves.items():
        if not len(curve):
            continue
        axes.step(
            np.concatenate([[0], curve[:, 2]]),
            np.concatenate([curve[:1, 1], curve[:, 1]]),
            where="pre",
            color=_COLOURS[run],
            label=RUN_NAMES[run],
            linewidth=1.8,
        )
    if np.isfinite(operating_point).all():
        precision, recall = operating_point
        axes.plot([recall], [precision], "o", color=_COLOURS["any"], markersize=6)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    if any(map(len, curves.values())):
        axes.legend(frameon=False, labelcolor=_GREY, loc="lower left")
    return _svg(figure)


def edits_plot(per_edit: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Draw the recall and the segment micro-AP of every edit, the hardest on top, as SVG."""
    names = sorted(per_edit, key=lambda name: per_edit[name]["segment_uap"] or 0, reverse=True)
    figure, axes = _new(4.6, 0.9 + 0.24 * len(names))
    places = np.arange(len(names))
    for shift, key, colour, label in (
        (0.2, "segment_uap", _COLOURS["any"], "segment micro-AP"),
        (-0.2, "recall", _COLOURS["visual"], "recall at the threshold"),
    ):
        values = [per_edit[name][key] or 0 for name in names]
        axes.barh(places + shift, values, height=0.38, color=colour, label=label)
    axes.set_yticks(places, [f"{name} ({per_edit[name]['n']})" for name in names])
    axes.set(xlim=(0, 1), ylim=(-0.6, len(names) - 0.4))
    figure.legend(frameon=False, labelcolor=_GREY, loc="outside upper left", ncols=2)
    return _svg(figure)


def calibration_plot(table: Array) -> bytes:
    """Draw what probabilities promise against what they keep, as SVG.

    Parameters
    ----------
    table : ndarray of float64, shape (k, 3)
        Of `vcd_eval.measures.reliability`.
    """
    figure, axes = _new(4.6, 3.6)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":")
    axes.plot(table[:, 0], table[:, 1], "o-", color=_COLOURS["any"], linewidth=1.8)
    for promised, kept, count in table:
        axes.annotate(
            f"{count:.0f}",
            (promised, kept),
            textcoords="offset points",
            xytext=(6, -10),
            color=_GREY,
            fontsize=8,
        )
    axes.set(xlabel="probability given", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    return _svg(figure)


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.tick_params(colors=_GREY, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(_GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.label.set_color(_GREY)
    axes.yaxis.label.set_color(_GREY)
    return figure, axes


def _svg(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
