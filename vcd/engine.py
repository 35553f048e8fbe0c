"""The walk from files to matches as one object: the only place that knows every room."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vcd.descriptors import (
    Describer,
    DescribeSettings,
    DescriptorCache,
    Manifest,
    ModelInfo,
    further_tracks,
    load_background,
    load_manifest,
    load_orientations,
)
from vcd.detection import STILL, Calibration, Detector, join_pieces, speaking_streams
from vcd.errors import (
    ContractError,
    DescriptorError,
    MediaError,
    ModelError,
    ModelNotFoundError,
    PathLike,
    VcdError,
    display_name,
)
from vcd.gallery import Gallery, Shown, split
from vcd.localization import (
    Confidence,
    LineLocalizer,
    Localizer,
    StillLocalizer,
    find_windows,
    is_still,
)
from vcd.media import Decoder, Isolation, Limits, MediaInfo, get_decoder, is_isolated
from vcd.records import (
    STREAMS,
    Match,
    Segment,
    SimilarityMatrix,
    Stream,
    VideoDescriptor,
)
from vcd.similarity import PreparedTrack, Refiner, evidence_matrix, fuse, is_long, overview, prepare
from vcd.sources import Given, Source, resolve

__all__ = ["Engine", "Finding", "PreparedVideo", "describe", "match"]

logger = logging.getLogger("vcd")

OnError = Callable[[VcdError], None]
OnDone = Callable[[Source], None]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class PreparedVideo:
    """A descriptor with what every comparison of it needs, worked out once."""

    descriptor: VideoDescriptor
    tracks: Mapping[Stream, PreparedTrack]


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What came of one query: its matches, the most probable first.

    `references` holds the other side of each match, by its id.
    """

    source: Source
    query: PreparedVideo
    matches: tuple[Match, ...]
    references: Mapping[str, tuple[Source, PreparedVideo]]


class Engine:
    """Settings, models and limits; describes videos and matches them. Safe to share by threads.

    Parameters
    ----------
    models : path-like, optional
        Another models folder than the one that comes with vcd.
    visual, audio : str, optional
        Ids or names of models; the manifest's defaults where left out.
    streams : collection of {"visual", "audio"}
        Which streams to describe and compare.
    rate : float
        Frames a second that are described.
    exact : bool
        Decode every frame instead of skipping those that no sample needs.
    threshold : float or str
        Smallest probability of a match that is reported, in [0, 1]; or the name of an operating
        point that was measured for the models: "strict", "balanced" or "review".
    min_length : float
        Shortest segment that is reported, in seconds.
    cache : path-like, optional
        Folder in which descriptors are kept by content; None keeps none.
    decoder : str or Decoder
        "pyav", "decord", or an object of your own.
    isolation : {"process", "none"}
        Where files are read: in other processes, each of which a file may break, or in this one. A
        decoder of your own reads in this one.
    localizer : Localizer, optional
        `LineLocalizer` where left out. The scores of another one count as probabilities.
    refine : bool
        Let the refiner of the models folder tell the `LineLocalizer` where to look. It finds a
        little more in some material, and nothing more in other, at nearly twice the cost.
    limits : Limits, optional
    jobs : int
        Files described side by side, each in a thread of its own.
    threads : int
        Threads inside one run of a model.

    Notes
    -----
    Any number of threads may call one engine at once; results are those of one thread. Models are
    loaded at their first use, and nothing else is shared. `limits` bounds the time and memory spent
    on a file. The processes that read are started when first needed, kept for the next file, and
    shared by all engines.

    Attributes
    ----------
    sure_from : float or None
        Probability from which a match may be acted upon without a look: the threshold of the
        operating point "strict"; None where it was not measured for the models.

    Examples
    --------
    >>> from vcd.media import Limits
    >>> engine = Engine(threshold=0.8, limits=Limits(max_wall_time=60))
    >>> video = engine.describe("query.mp4")
    >>> for match in engine.match(video, "refs/"):
    ...     print(match.ref_id, round(match.segments[0].ref_start))
    mountains 2
    """

    def __init__(
        self,
        *,
        models: PathLike | None = None,
        visual: str | None = None,
        audio: str | None = None,
        streams: Iterable[Stream] = STREAMS,
        rate: float = 2.0,
        exact: bool = False,
        threshold: float | str = 0.5,
        min_length: float = 2.5,
        cache: PathLike | None = None,
        decoder: str | Decoder = "pyav",
        isolation: Isolation = "process",
        localizer: Localizer | None = None,
        refine: bool = False,
        limits: Limits | None = None,
        jobs: int = 1,
        threads: int = 1,
    ) -> None:
        wanted = {streams} if isinstance(streams, str) else set(streams)
        self.streams: tuple[Stream, ...] = tuple(s for s in STREAMS if s in wanted)
        if not self.streams or not wanted <= set(STREAMS):
            raise ContractError(f"streams must be some of {STREAMS}, got {sorted(wanted)}")
        if min(jobs, threads) < 1:
            raise ContractError(f"jobs and threads must be at least 1, got {jobs} and {threads}")
        manifest = load_manifest(models)
        named: dict[Stream, str | None] = {"visual": visual, "audio": audio}
        self.models: dict[Stream, ModelInfo] = {}
        for stream in self.streams:
            name = named[stream]
            info = manifest.get(name) if name else manifest.default(stream)
            if info.stream != stream:
                raise ContractError(f"model {info.id} describes {info.stream}, not {stream}")
            self.models[stream] = info
        self.localizer: Localizer = localizer or LineLocalizer(
            confidences=_confidences(self.models, manifest.fusion),
            refiner=_refiner(manifest) if refine else None,
        )
        self._stills = StillLocalizer() if localizer is None else None
        self.rate = rate
        self.exact = exact
        self.jobs = jobs
        self.limits = limits or Limits()
        self._whole_matrix = partial(evidence_matrix, most_cells=self.limits.max_matrix)
        self._isolated = is_isolated(isolation)
        backend = (
            get_decoder(decoder, isolation="process" if self._isolated else "none")
            if isinstance(decoder, str)
            else decoder
        )
        self.decoder = backend.name
        self._decoder = backend
        self._describer = Describer(
            self.models,
            decoder=backend,
            settings=DescribeSettings(rate=rate, exact=exact),
            limits=self.limits,
            threads=threads,
            cache=None if cache is None else DescriptorCache(Path(os.fsdecode(cache))),
        )
        self.detector = Detector(
            threshold=(
                _named_threshold(threshold, manifest, self.models.values(), localizer)
                if isinstance(threshold, str)
                else threshold
            ),
            min_length=min_length,
            max_segments=self.limits.max_segments,
            # Another localizer's scores are taken as they are.
            calibrations=_still_calibration(self.models) if localizer is None else {},
        )
        self._weighs_openings = localizer is None
        self.sure_from: float | None = None
        if localizer is None:
            point = manifest.operating_point(self.models.values(), "strict")
            self.sure_from = None if point is None else float(point["threshold"])

    # Describing ---------------------------------------------------------------------------------

    def describe(
        self, path: PathLike, *, video_id: str | None = None, cached: bool = True
    ) -> VideoDescriptor:
        """Describe one file, or take its descriptor from the cache.

        Parameters
        ----------
        path : path-like
        video_id : str, optional
            The file name without its ending where left out.
        cached : bool
            False describes anew and keeps nothing.

        Raises
        ------
        MediaError, ModelError
        """
        name = video_id or display_name(Path(os.fsdecode(path)).stem)
        try:
            return self._describer.describe(path, video_id=name, cached=cached)
        except VcdError:
            raise
        except Exception as error:  # decoders meet files that nobody foresaw
            logger.debug("%s", display_name(path), exc_info=True)
            raise MediaError(
                f"cannot be described ({type(error).__name__}: {error})",
                file=path,
                remedy="play it to see whether it is whole, and report this if it is",
            ) from error

    def probe(self, path: PathLike) -> MediaInfo:
        """Return what the container of a file says, without decoding it.

        Raises
        ------
        MediaError
        """
        return self._decoder.probe(path, limits=self.limits)

    def thumbnails(
        self, path: PathLike, times: Iterable[float], longer_side: int = 160
    ) -> list[npt.NDArray[np.uint8] | None]:
        """Return the frames of a file that are on the screen at given times.

        Parameters
        ----------
        path : path-like
        times : iterable of float
            Seconds, in any order.
        longer_side : int
            Largest width or height in pixels.

        Returns
        -------
        list of (ndarray of uint8, shape (height, width, 3)) or None
            RGB, one for each time; None where no frame can be read.

        Raises
        ------
        MediaError
        """
        if self._isolated:
            from vcd.media.isolation import isolated_thumbnail as thumbnail
        else:
            from vcd.media.thumbnails import thumbnail
        return thumbnail(path, times, longer_side, limits=self.limits)

    def describe_all(
        self,
        sources: Iterable[Source],
        *,
        on_error: OnError | None = None,
        on_done: OnDone | None = None,
    ) -> Iterator[tuple[Source, VideoDescriptor]]:
        """Describe many videos, `jobs` at a time, and yield them in the order given.

        Inputs that fail are told to `on_error` and left out; `on_done` is called after each input
        whatever came of it.
        """
        return self._each(self._described, sources, on_error or _log, on_done)

    def prepare_all(
        self,
        sources: Sequence[Source],
        *,
        on_error: OnError | None = None,
        on_done: OnDone | None = None,
    ) -> Iterator[tuple[Source, PreparedVideo]]:
        """Describe many videos as `describe_all` does, and prepare each for comparison."""

        def work(source: Source) -> PreparedVideo:
            return self.prepare(self._described(source))

        return self._each(work, sources, on_error or _log, on_done)

    # Comparing ----------------------------------------------------------------------------------

    def prepare(self, descriptor: VideoDescriptor) -> PreparedVideo:
        """Return a descriptor ready for comparison."""
        tracks = {
            stream: prepare(
                track,
                load_background(self.models[stream]),
                views=further_tracks(descriptor, track.stream),
                orientations=load_orientations(self.models[stream]),
            )
            for stream in self.streams
            if (track := descriptor.tracks.get(stream)) is not None and len(track)
        }
        return PreparedVideo(descriptor, tracks)

    def matrices(
        self, query: PreparedVideo, reference: PreparedVideo, *, whole: bool = False
    ) -> dict[str, SimilarityMatrix]:
        """Return the normalised matrices of a pair by stream; "fused" where there are both.

        Those of two long videos are an overview, whose positions are groups of what was described,
        unless they are wanted whole.

        Raises
        ------
        DescriptorError
            One would have more cells than `max_matrix`.
        """
        make = overview if not whole and _is_long(query, reference) else self._whole_matrix
        return _matrices(query.tracks, reference.tracks, make)

    def compare(
        self, query: PreparedVideo, reference: PreparedVideo, *, threshold: float | None = None
    ) -> Match | None:
        """Return the match of a pair, or None; it depends on nothing but the two videos.

        `threshold` is the engine's own where left out.

        Raises
        ------
        DescriptorError
            A matrix would have more cells than `max_matrix`: positions lie too close to each other.
        """
        detector = self.detector
        if threshold is not None:
            detector = replace(detector, threshold=threshold)
        return detector.detect(
            query.descriptor.video_id,
            reference.descriptor.video_id,
            *self._look(query, reference, detector.threshold),
            spans=self.spans(query, reference),
        )

    def compare_streams(self, query: PreparedVideo, reference: PreparedVideo) -> dict[str, Match]:
        """Return the match of a pair as each stream alone tells it, and as "any" all together.

        A stream that finds nothing has no entry; "any" is what `compare` returns.
        """
        passes, matrices = self._look(query, reference, self.detector.threshold)
        ids = query.descriptor.video_id, reference.descriptor.video_id
        spans = self.spans(query, reference)
        found = {"any": self.detector.detect(*ids, passes, matrices, spans=spans)}
        for stream in self.streams:
            name = STILL if stream == "visual" and STILL in passes else stream
            own = [replace(s, streams=frozenset((stream,))) for s in passes.get(name, ())]
            found[stream] = self.detector.detect(*ids, {name: own}, {}, spans=spans)
        return {name: match for name, match in found.items() if match is not None}

    def _look(
        self, query: PreparedVideo, reference: PreparedVideo, threshold: float
    ) -> tuple[dict[str, list[Segment]], dict[str, SimilarityMatrix]]:
        """Return what each pass finds in a pair, and the matrices that tell which streams speak.

        Two long videos have no such matrices: the streams of their segments are known already.
        """
        try:
            return self._look_closely(query, reference, threshold)
        except DescriptorError as error:
            pair = f"{query.descriptor.video_id} with {reference.descriptor.video_id}"
            raise DescriptorError(error.problem, file=pair, remedy=error.remedy) from error

    def _look_closely(
        self, query: PreparedVideo, reference: PreparedVideo, threshold: float
    ) -> tuple[dict[str, list[Segment]], dict[str, SimilarityMatrix]]:
        if not _is_long(query, reference):
            matrices = self.matrices(query, reference)
            return self.passes(matrices), matrices
        passes: dict[str, list[Segment]] = {}
        for window in find_windows(query.tracks, reference.tracks):
            matrices = _matrices(
                _between(query.tracks, window.query_start, window.query_end),
                _between(reference.tracks, window.ref_start, window.ref_end),
                self._whole_matrix,
            )
            for name, matrix in matrices.items():
                if is_still(matrix):
                    continue  # the last picture before its track ends
                passes.setdefault(name, []).extend(
                    replace(segment, streams=speaking_streams(segment, matrices))
                    for segment in self.localizer.localize(matrix)
                    if segment.score >= threshold
                )
        return {name: join_pieces(segments) for name, segments in passes.items()}, {}

    def passes(self, matrices: Mapping[str, SimilarityMatrix]) -> dict[str, list[Segment]]:
        """Return what is found in the matrices of a pair, by stream; a still picture by itself."""
        visual = matrices.get("visual")
        if self._stills is None or visual is None or not is_still(visual):
            return {name: self.localizer.localize(matrix) for name, matrix in matrices.items()}
        found = {STILL: self._stills.localize(visual)}
        if "audio" in matrices:
            found["audio"] = self.localizer.localize(matrices["audio"])
        return found

    def spans(
        self, query: PreparedVideo, reference: PreparedVideo
    ) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """Return from when to when two videos have anything to see or hear, for the detector.

        None where the localizer is another one, whose scores are taken as they are.
        """
        return (_span(query), _span(reference)) if self._weighs_openings else None

    def search(
        self,
        queries: Sequence[Source],
        references: Sequence[tuple[Source, PreparedVideo]] | Gallery,
        *,
        on_error: OnError | None = None,
        on_compared: Callable[[int], None] | None = None,
    ) -> Iterator[Finding]:
        """Describe many queries and look for each in the references, `jobs` at a time.

        A file is not compared with itself. Queries come in the order given; `on_compared` is told,
        from worker threads, of every number of pairs that are done.
        """
        # Many queries keep all workers busy by themselves; one or two share their references.
        inner = ThreadPoolExecutor(self.jobs) if len(queries) < self.jobs else None

        gallery = references if isinstance(references, Gallery) else Gallery(references)
        tell = on_error or _log

        def count(pairs: int) -> None:
            if on_compared is not None:
                on_compared(pairs)

        def work(source: Source) -> Finding:
            try:
                query = self.prepare(self._described(source))
                near = gallery.near(source, query, min_length=self.detector.min_length)
            except VcdError:
                count(len(gallery))
                raise
            others: dict[str, tuple[Source, PreparedVideo]] = {}

            def look(shown: Shown) -> Match | None:
                other, video = shown
                match = None
                try:
                    if not _same_file(source, other):
                        video = video or self.prepare(self._described(other))
                        match = self.compare(query, video)
                        if match is not None:
                            others[other.video_id] = other, video
                except VcdError as error:
                    tell(error)
                count(1)
                return match

            found: list[Match] = []
            looked_at = 0
            for rounds in near:
                for shown in rounds:
                    looked = map(look, shown) if inner is None else inner.map(look, shown)
                    fresh = [match for match in looked if match is not None]
                    looked_at += len(shown)
                    if not fresh:
                        break  # less promising ones share nothing, either
                    found += fresh
            count(max(0, len(gallery) - looked_at))
            found.sort(key=lambda m: (-m.score, m.ref_id))
            return Finding(source, query, tuple(found), others)

        try:
            for _, finding in self._each(work, queries, tell, None):
                yield finding
        finally:
            if inner is not None:
                inner.shutdown(wait=False, cancel_futures=True)

    def match(
        self,
        queries: Given | Iterable[Given],
        references: Given | Iterable[Given],
        *,
        on_error: OnError | None = None,
    ) -> list[Match]:
        """Find which parts of which references appear in which queries.

        Parameters
        ----------
        queries, references : path, folder, descriptor, library, or iterable of these
        on_error : callable, optional
            Told of every input that cannot be used; the rest goes on. Logged where left out.

        Returns
        -------
        list of Match
            In the order of the queries, the most probable of each first.
        """
        tell = on_error or _log
        sources, libraries = split(references, tell, self.limits)
        described = list(self.prepare_all(sources, on_error=tell))
        asked = resolve(queries, tell, self.limits)
        findings = self.search(asked, Gallery(described, libraries), on_error=tell)
        return [found for finding in findings for found in finding.matches]

    # Inside -------------------------------------------------------------------------------------

    def _described(self, source: Source) -> VideoDescriptor:
        held = source.held()
        if held is not None:
            return replace(self.usable(held), video_id=source.video_id)
        if source.path is None:
            raise ContractError(f"{source.name} has neither a file nor a descriptor")
        return self.describe(source.path, video_id=source.video_id)

    def _each(
        self,
        work: Callable[[Source], _Result],
        sources: Iterable[Source],
        tell: OnError,
        on_done: OnDone | None,
    ) -> Iterator[tuple[Source, _Result]]:
        """Do the work for each source, `jobs` at a time, and leave out those that fail."""

        def guarded(source: Source) -> _Result | VcdError:
            try:
                return work(source)
            except VcdError as error:
                return error

        for source, outcome in _in_order(guarded, sources, self.jobs):
            if isinstance(outcome, VcdError):
                tell(outcome)
            if on_done is not None:
                on_done(source)
            if not isinstance(outcome, VcdError):
                yield source, outcome

    def usable(self, descriptor: VideoDescriptor) -> VideoDescriptor:
        """Return the descriptor, after checking that it was made by this engine's models.

        Raises
        ------
        DescriptorError
            It was made by another one.
        """
        for track in descriptor.tracks.values():
            info = self.models.get(track.stream)
            if info is None:
                continue
            if track.model != info.id or track.vectors.shape[1] != info.dimensions:
                raise DescriptorError(
                    f"its {track.key} track was made by model {track.model} "
                    f"({track.vectors.shape[1]} dimensions), not by {info.id}",
                    file=descriptor.video_id,
                    remedy="describe the video again, or choose the model it was made by",
                )
        return descriptor


def _in_order(
    work: Callable[[Source], _Result], items: Iterable[Source], jobs: int
) -> Iterator[tuple[Source, _Result]]:
    """Yield each item with the result of its work, in order, `jobs` at a time.

    At most two results a job are worked out ahead of the reader, so memory stays bounded. Work not
    yet begun is dropped when the reader stops.
    """
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="vcd")
    waiting: deque[tuple[Source, Future[_Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) >= 2 * jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _is_long(query: PreparedVideo, reference: PreparedVideo) -> bool:
    streams = query.tracks.keys() & reference.tracks.keys()
    return any(is_long(query.tracks[stream], reference.tracks[stream]) for stream in streams)


def _span(video: PreparedVideo) -> tuple[float, float]:
    speaking = [t.track.times[t.track.weight > 0] for t in video.tracks.values()]
    times = [times for times in speaking if len(times)]
    if not times:
        return 0.0, 0.0
    return float(min(t.min() for t in times)), float(max(t.max() for t in times))


def _between(
    tracks: Mapping[Stream, PreparedTrack], start: float, end: float
) -> dict[Stream, PreparedTrack]:
    parts = {stream: track.between(start, end) for stream, track in tracks.items()}
    return {stream: part for stream, part in parts.items() if len(part.track)}


def _matrices(
    query: Mapping[Stream, PreparedTrack],
    reference: Mapping[Stream, PreparedTrack],
    make: Callable[[PreparedTrack, PreparedTrack], SimilarityMatrix],
) -> dict[str, SimilarityMatrix]:
    found: dict[str, SimilarityMatrix] = {
        stream: make(query[stream], reference[stream])
        for stream in STREAMS
        if stream in query and stream in reference
    }
    if len(found) == len(STREAMS):
        found["fused"] = fuse(found["visual"], found["audio"])
    return found


def _confidences(
    models: Mapping[Stream, ModelInfo], fusion: Mapping[str, Mapping[str, Any]]
) -> dict[str, Confidence]:
    """Return by pass how probable segments are, where that was fitted for these models."""
    fitted = {str(stream): info.calibration for stream, info in models.items()}
    if len(models) == len(STREAMS):
        pair = "+".join(models[stream].id for stream in STREAMS)
        fitted["fused"] = fusion.get(pair, {})
    confidences = {}
    for name, values in fitted.items():
        if not set(values) - {STILL}:
            continue  # none was fitted
        try:
            confidences[name] = Confidence.from_mapping(values)
        except ContractError as error:
            raise ModelError(
                f"the calibration of {name} is of no use: {error.problem}", remedy=error.remedy
            ) from error
    return confidences


def _named_threshold(
    name: str, manifest: Manifest, models: Iterable[ModelInfo], localizer: Localizer | None
) -> float:
    if localizer is not None:
        raise ContractError(
            f"the operating point {name!r} was measured for vcd's own localizer",
            remedy="name a score of the localizer you gave",
        )
    return manifest.threshold(models, name)


def _refiner(manifest: Manifest) -> Refiner:
    if manifest.refiner is None:
        raise ModelNotFoundError(
            "there is no refiner",
            file=manifest.folder,
            remedy="train one, or match without: vcd train refiner",
        )
    return Refiner(manifest.refiner.verify())


def _still_calibration(models: Mapping[Stream, ModelInfo]) -> dict[str, Calibration]:
    if "visual" not in models:
        return {}
    return {STILL: Calibration.from_mapping(models["visual"].calibration.get(STILL, {}))}


def _same_file(first: Source, second: Source) -> bool:
    if first.path is None or second.path is None:
        return False
    try:
        return first.path.samefile(second.path)
    except OSError:
        return False


def _log(error: VcdError) -> None:
    logger.warning("%s", error)


def describe(path: PathLike, **settings: Any) -> VideoDescriptor:
    """Describe one file: `Engine(**settings).describe(path)`.

    Raises
    ------
    MediaError, ModelError

    Examples
    --------
    >>> import vcd
    >>> vcd.describe("query.mp4").tracks["visual"].vectors.shape
    (24, 256)
    """
    return Engine(**settings).describe(path)


def match(
    query: Given | Iterable[Given],
    references: Given | Iterable[Given],
    *,
    on_error: OnError | None = None,
    **settings: Any,
) -> list[Match]:
    """Find which parts of which references appear in a query (or in several).

    Same as ``Engine(**settings).match(query, references, on_error=on_error)``.

    Parameters
    ----------
    query, references : path, folder, descriptor, library, or iterable of these
    on_error : callable, optional
        Told of every input that cannot be used; logged where left out.
    **settings
        Of `Engine`: streams, rate, threshold, min_length, cache, jobs, ...

    Examples
    --------
    >>> import vcd
    >>> best = vcd.match("query.mp4", "refs/")[0]
    >>> best.ref_id, best.score > 0.9
    ('mountains', True)
    >>> best.to_json()
    '{"query": "query", "reference": "mountains", "score": ...}'
    """
    return Engine(**settings).match(query, references, on_error=on_error)
