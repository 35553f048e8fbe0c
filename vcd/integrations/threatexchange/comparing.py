"""Two hashes in, the match of their videos out, by the engine's own localizer.

Binary codes keep the sign of each number alone. Of two vectors of cosine c, one of them a code,
the cosine is c times the square root of 2/pi in the mean; of two codes it is 2/pi times the arc
sine of c. Both are turned back, for the pair and for its background alike, so that evidence means
what it means between full vectors; it is noisier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from vcd.descriptors import further_tracks, load_background, load_orientations
from vcd.engine import Engine, PreparedVideo
from vcd.integrations.threatexchange.hashes import VideoHash
from vcd.records import FloatArray, Match, SimilarityMatrix, Stream
from vcd.similarity import (
    BackgroundStatistics,
    PreparedTrack,
    background_statistics,
    check_cells,
    cosine_matrix,
    normalise,
)
from vcd.similarity import (
    prepare as prepare_track,
)

__all__ = ["PreparedHash", "Statistics", "compare", "prepare"]

Statistics = Mapping[Stream, BackgroundStatistics | None]

CODE_TO_FULL = math.sqrt(math.pi / 2)
"""Cosine of two full vectors by that of one with the code of the other, in the mean."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedHash:
    """A hash with what comparisons of it with hashes of one form need.

    `others_compact` says which form that is.
    """

    video: PreparedVideo
    compact: bool
    others_compact: bool

    @property
    def statistics(self) -> Statistics:
        """What unrelated material reaches at every position, by stream."""
        return {stream: track.background for stream, track in self.video.tracks.items()}


def prepare(
    engine: Engine,
    given: VideoHash,
    *,
    others_compact: bool = False,
    statistics: Statistics | None = None,
) -> PreparedHash:
    """Return a hash ready for comparison with hashes of one form.

    `statistics` are those of an earlier preparation for the same form, which saves most of the
    work.
    """
    tracks: dict[Stream, PreparedTrack] = {}
    for stream in engine.streams:
        track = given.descriptor.tracks.get(stream)
        if track is None or not len(track):
            continue
        views = [] if others_compact else further_tracks(given.descriptor, stream)
        background = load_background(engine.models[stream])
        compact = given.compact or others_compact
        maps = None if compact else load_orientations(engine.models[stream])
        if statistics is not None:
            ready = prepare_track(track, views=views, orientations=maps)
            tracks[stream] = replace(ready, background=statistics.get(stream))
        elif background is None or not compact:
            tracks[stream] = prepare_track(track, background, views=views, orientations=maps)
        else:
            vectors = track.unit_vectors()
            against = _codes(background) if others_compact else background
            found = background_statistics(vectors, against)
            found = _turned_back(found, given.compact, others_compact)
            tracks[stream] = PreparedTrack(track, vectors, found)
    return PreparedHash(PreparedVideo(given.descriptor, tracks), given.compact, others_compact)


def compare(engine: Engine, query: PreparedHash, reference: PreparedHash) -> Match | None:
    """Return the match of two hashes, or None."""
    if not query.compact and not reference.compact:
        return engine.compare(query.video, reference.video)
    matrices = _matrices(query, reference, engine.limits.max_matrix)
    ids = query.video.descriptor.video_id, reference.video.descriptor.video_id
    spans = engine.spans(query.video, reference.video)
    return engine.detector.detect(*ids, engine.passes(matrices), matrices, spans=spans)


def _matrices(
    query: PreparedHash, reference: PreparedHash, most: int
) -> dict[str, SimilarityMatrix]:
    matrices: dict[str, SimilarityMatrix] = {}
    for stream, q in query.video.tracks.items():
        r = reference.video.tracks.get(stream)
        if r is None:
            continue
        check_cells(q, r, most)
        cosines = cosine_matrix(q, r)
        values = _back(cosines.values, query.compact, reference.compact)
        matrices[stream] = normalise(
            replace(cosines, values=np.clip(values, -1, 1)),
            query_background=q.background,
            ref_background=r.background,
            query_weight=q.track.weight,
            ref_weight=r.track.weight,
        )
    return matrices


def _codes(rows: FloatArray) -> FloatArray:
    length = np.float32(math.sqrt(rows.shape[1]))
    codes: FloatArray = np.where(rows > 0, 1 / length, -1 / length).astype(np.float32)
    return codes


def _back(cosines: FloatArray, first: bool, second: bool) -> FloatArray:
    """Return what the cosines were between full vectors, in the mean."""
    if not first and not second:
        return cosines
    full = np.sin(math.pi / 2 * cosines) if first and second else CODE_TO_FULL * cosines
    return np.asarray(full, np.float32)


def _turned_back(
    statistics: BackgroundStatistics, first: bool, second: bool
) -> BackgroundStatistics:
    return BackgroundStatistics(
        **{
            field.name: _back(getattr(statistics, field.name), first, second)
            for field in fields(BackgroundStatistics)
        }
    )
