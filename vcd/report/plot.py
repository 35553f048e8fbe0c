"""One PNG a pair: the similarity matrices as heat maps with the found segments drawn on them."""

from __future__ import annotations

import hashlib
import importlib
import io
import re
import warnings
from typing import TYPE_CHECKING, Any

from vcd.encoding import write_whole
from vcd.errors import MissingExtraError, PathLike
from vcd.records import Segment, SimilarityMatrix
from vcd.report.heatmap import COLOURS, heat_map
from vcd.report.views import PairView, matrix_streams
from vcd.report.wording import percent, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_file_name", "plot_pair"]

DOTS_PER_INCH = 120
PANEL_INCHES = (6.0, 5.6)

_TITLES = {"visual": "picture", "audio": "sound", "fused": "picture and sound together"}
_LINE = "#ff7a1a"
_LONGEST = 1024
_NAME_COLUMNS = 48


def plot_pair(pair: PairView, path: PathLike) -> None:
    """Draw one pair and write it as a PNG, whole or not at all.

    Picture and sound stand side by side where both are there; the fused matrix is drawn only where
    neither is. A pair without matrices shows its segments alone.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    OutputError
        The file cannot be written.
    """
    figure = _new_figure(shown := matrix_streams(pair))
    for axes, stream in zip(figure.axes, shown or ["visual"], strict=True):
        _draw_panel(figure, axes, pair, stream, pair.matrices.get(stream))
    title = "  ·  ".join(
        shorten(name, _NAME_COLUMNS // (1 if len(shown) > 1 else 2))
        for name in (pair.query.name, pair.reference.name)
    )
    figure.suptitle(
        f"{title}  ·  {percent(pair.match.score)}", fontsize=11, weight="bold", parse_math=False
    )
    write_whole(path, _to_png(figure))


def plot_file_name(pair: PairView) -> str:
    """Return a file name for the plot of a pair: safe on any file system, one for each pair of ids.

    Examples
    --------
    A query "a/b.mp4" and a reference "c.mp4" give ``b.mp4--c.mp4--1f0c3a9d.png``.
    """
    match = pair.match
    ids = f"{match.query_id}\0{match.ref_id}".encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(ids, digest_size=4).hexdigest()
    return "--".join((_plain(pair.query.name), _plain(pair.reference.name), digest)) + ".png"


def _plain(name: str) -> str:
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", last).strip("._-")[-60:] or "video"


def require_matplotlib() -> None:
    """Raise `MissingExtraError` where matplotlib is not installed."""
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise MissingExtraError(
            "plots need matplotlib", remedy='pip install "vcd-engine[report]"'
        ) from error


def _new_figure(shown: list[str]) -> Figure:
    require_matplotlib()
    from matplotlib.figure import Figure

    panels = max(len(shown), 1)
    figure = Figure(
        figsize=(PANEL_INCHES[0] * panels, PANEL_INCHES[1]),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    figure.subplots(1, panels, squeeze=False)
    return figure


def _draw_panel(
    figure: Figure, axes: Axes, pair: PairView, stream: str, matrix: SimilarityMatrix | None
) -> None:
    heat = None if matrix is None else heat_map(matrix, longest=_LONGEST)
    axes.set_facecolor(COLOURS[0])
    if heat is not None:
        from matplotlib.colors import LinearSegmentedColormap

        image = axes.imshow(
            heat.cells,
            cmap=LinearSegmentedColormap.from_list("vcd", list(COLOURS)),
            vmin=0,
            vmax=1,
            origin="lower",
            extent=(*heat.ref_span, *heat.query_span),
            aspect="auto",
            interpolation="nearest",
        )
        figure.colorbar(image, ax=axes, label="similarity", fraction=0.046, pad=0.02)
    for segment in pair.match.segments:
        _draw_segment(axes, segment)
    segments = pair.match.segments
    axes.set(
        title=_TITLES[stream] if heat is not None else "segments",
        xlabel="reference, seconds",
        ylabel="query, seconds",
        xlim=(0, _length(pair.reference.duration, [s.ref_end for s in segments])),
        ylim=(0, _length(pair.query.duration, [s.query_end for s in segments])),
    )


def _draw_segment(axes: Axes, segment: Segment) -> None:
    from matplotlib.patheffects import withStroke

    times = (segment.ref_start, segment.ref_end)
    ref_times = times if segment.speed > 0 else times[::-1]
    outline: list[Any] = [withStroke(linewidth=4, foreground="white")]
    axes.plot(
        ref_times,
        (segment.query_start, segment.query_end),
        color=_LINE,
        linewidth=2,
        marker="o",
        markersize=4,
        solid_capstyle="round",
        path_effects=outline,
        clip_on=False,
        zorder=3,
    )
    axes.annotate(
        percent(segment.score),
        (sum(times) / 2, (segment.query_start + segment.query_end) / 2),
        xytext=(8, -8 if segment.speed > 0 else 8),
        textcoords="offset points",
        va="top" if segment.speed > 0 else "bottom",
        fontsize=9,
        weight="bold",
        color="#7a2e00",
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )


def _length(duration: float, ends: list[float]) -> float:
    return max([duration, *ends]) or 1.0


def _to_png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # a file name in a script that the font lacks is drawn with boxes, which harms nobody
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.print_png(buffer)
    return buffer.getvalue()
