"""Two tracks in, the matrix of their cosines out."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from vcd.errors import DescriptorError
from vcd.records import FloatArray, SimilarityMatrix, Track
from vcd.similarity.background import BackgroundStatistics, background_statistics
from vcd.similarity.evidence import normalise

__all__ = [
    "OTHERWISE",
    "PreparedTrack",
    "View",
    "check_cells",
    "cosine_matrix",
    "evidence_matrix",
    "prepare",
]


View = tuple[npt.NDArray[np.intp], FloatArray]


OTHERWISE = 0.06
"""Less than its cosine is what a mirrored or turned position counts: most copies are upright, and
the best of four would make chance higher for all."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedTrack:
    """A track with what every comparison of it needs, worked out once.

    `vectors` is float32 (n, d) of unit rows; `background` is None where the model brings none.
    `views` are further views of some positions, each as the positions (k,) and their vectors
    (k, d); the background then holds for each position the highest values of all its views.
    `orientations` are maps (j, d + 1, d) from vectors to those of the mirrored and turned picture.
    """

    track: Track
    vectors: FloatArray
    background: BackgroundStatistics | None
    views: tuple[View, ...] = ()
    orientations: FloatArray | None = None

    @property
    def upright(self) -> tuple[View, ...]:
        """What all positions say that say anything, and all further views."""
        speaking = np.flatnonzero(self.track.weight > 0)
        return ((speaking, self.vectors[speaking]), *self.views)

    @property
    def otherwise(self) -> tuple[View, ...]:
        """All of these mirrored and turned; kept for the tracks that were asked last."""
        return _otherwise(self)

    def at(self, positions: slice) -> PreparedTrack:
        """Return some of the positions, on the same clock; the step must be positive."""
        first, last, step = positions.indices(len(self.track))
        part = slice(first, max(first, last), step)
        track = replace(
            self.track,
            times=self.track.times[part],
            vectors=self.track.vectors[part],
            weight=self.track.weight[part],
        )
        background = self.background
        if background is not None:
            background = BackgroundStatistics(
                *(getattr(background, field.name)[part] for field in fields(background))
            )
        views = []
        for rows, vectors in self.views:
            places, rest = np.divmod(rows - first, step)
            inside = (rest == 0) & (places >= 0) & (places < len(track))
            views.append((places[inside], vectors[inside]))
        vectors = np.ascontiguousarray(self.vectors[part])
        return PreparedTrack(track, vectors, background, tuple(views), self.orientations)

    def between(self, start: float, end: float) -> PreparedTrack:
        """Return the positions whose middle lies in [start, end), in seconds."""
        first, last = np.searchsorted(self.track.times.mean(axis=1), (start, end))
        return self.at(slice(int(first), int(last)))


@lru_cache(maxsize=16)  # queries at work; on the track, they would take three times its memory
def _otherwise(track: PreparedTrack) -> tuple[View, ...]:
    maps = () if track.orientations is None else track.orientations
    return tuple((rows, _mapped(vectors, onto)) for onto in maps for rows, vectors in track.upright)


def _mapped(vectors: FloatArray, onto: FloatArray) -> FloatArray:
    moved = vectors @ onto[:-1] + onto[-1]
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    mapped: FloatArray = moved / np.maximum(length, 1e-9)
    return mapped


def prepare(
    track: Track,
    background: FloatArray | None = None,
    *,
    views: Iterable[Track] = (),
    orientations: FloatArray | None = None,
) -> PreparedTrack:
    """Return a track ready for comparison.

    Parameters
    ----------
    track : Track
    background : ndarray of float32, shape (k, d), optional
        Descriptors of unrelated material by the same model, unit rows.
    views : iterable of Track
        Further views of the same video; their times are some of those of the track.
    orientations : ndarray of float32, shape (j, d + 1, d), optional
        Maps from vectors to those of the mirrored and turned picture
        (`vcd.descriptors.load_orientations`).

    Raises
    ------
    DescriptorError
        A view is of another model, or of times that the track does not have.
    """
    vectors = track.unit_vectors()
    prepared = tuple(_fitted(view, track) for view in views)
    if background is None or not len(background):
        return PreparedTrack(track, vectors, None, prepared, orientations)
    statistics = background_statistics(vectors, background)
    for rows, others in prepared:
        statistics = _highest(statistics, rows, background_statistics(others, background))
    return PreparedTrack(track, vectors, statistics, prepared, orientations)


def _fitted(view: Track, track: Track) -> View:
    """Return which positions of the track a view speaks of, and its vectors."""
    fits = (view.stream, view.model, view.vectors.shape[1]) == (
        track.stream,
        track.model,
        track.vectors.shape[1],
    )
    places: dict[tuple[float, float], deque[int]] = defaultdict(deque)
    for place, (start, end) in enumerate(track.times.tolist()):
        places[start, end].append(place)
    try:
        rows = [places[start, end].popleft() for start, end in view.times.tolist()]
    except IndexError:
        fits = False
    if not fits:
        raise DescriptorError(
            f"the track {view.key} does not fit the track {track.key} of the same video",
            remedy="describe the video again",
        )
    speaking = view.weight > 0
    return np.array(rows, np.intp)[speaking], view.unit_vectors()[speaking]


def _highest(
    full: BackgroundStatistics, rows: npt.NDArray[np.intp], view: BackgroundStatistics
) -> BackgroundStatistics:
    joined = {}
    for field in fields(BackgroundStatistics):
        values = getattr(full, field.name).copy()
        values[rows] = np.maximum(values[rows], getattr(view, field.name))
        joined[field.name] = values
    return BackgroundStatistics(**joined)


def cosine_matrix(query: PreparedTrack, reference: PreparedTrack) -> SimilarityMatrix:
    """Return the cosine of every query position with every reference position.

    Positions of several views count with the two views that are most alike. Those of the query
    count mirrored and turned, too, where its model can tell; the cosine is then lowered.

    Raises
    ------
    DescriptorError
        The tracks come from different streams or models, which can not be compared.
    """
    q, r = query.track, reference.track
    if (
        q.stream != r.stream
        or q.model != r.model
        or query.vectors.shape[1] != reference.vectors.shape[1]
    ):
        raise DescriptorError(
            f"descriptors of {q.stream} model {q.model} and {r.stream} model {r.model} "
            "cannot be compared",
            remedy="describe both videos with the same model",
        )
    values = query.vectors @ reference.vectors.T
    for rows, vectors in query.views:
        values[rows] = np.maximum(values[rows], vectors @ reference.vectors.T)
    for columns, vectors in reference.views:
        values[:, columns] = np.maximum(values[:, columns], query.vectors @ vectors.T)
        if q.stream == "audio":
            continue  # of two that are both played faster nothing is to be learnt
        for rows, others in query.views:
            cells = np.ix_(rows, columns)
            values[cells] = np.maximum(values[cells], others @ vectors.T)
    for rows, vectors in query.otherwise:
        turned = vectors @ reference.vectors.T
        for columns, others in reference.views:
            turned[:, columns] = np.maximum(turned[:, columns], vectors @ others.T)
        turned -= OTHERWISE
        values[rows] = np.maximum(values[rows], turned)
    values = np.clip(values, -1, 1)
    return SimilarityMatrix(values, q.times, r.times, q.stream)


def check_cells(query: PreparedTrack, reference: PreparedTrack, most: int) -> None:
    """Refuse two tracks whose matrix is too large; comparing them takes several such matrices.

    Raises
    ------
    DescriptorError
        The matrix would have more cells than that.
    """
    rows, columns = len(query.track), len(reference.track)
    if rows * columns > most:
        raise DescriptorError(
            f"needs a matrix of {rows} x {columns} cells, more than the limit of {most:g}",
            remedy="raise max_matrix to compare it all the same, or describe fewer frames a second",
        )


def evidence_matrix(
    query: PreparedTrack, reference: PreparedTrack, *, most_cells: int | None = None
) -> SimilarityMatrix:
    """Return the normalised matrix of two tracks: centred cosines, and evidence for a copy.

    Raises
    ------
    DescriptorError
        As `cosine_matrix`, or the matrix would have more cells than that.
    """
    if most_cells is not None:
        check_cells(query, reference, most_cells)
    return normalise(
        cosine_matrix(query, reference),
        query_background=query.background,
        ref_background=reference.background,
        query_weight=query.track.weight,
        ref_weight=reference.track.weight,
    )
