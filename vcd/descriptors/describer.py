"""Files in, descriptors out, each described once: describing with the cache before it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace

from vcd.descriptors.cache import DescriptorCache
from vcd.descriptors.describe import DescribeSettings, describe_file
from vcd.descriptors.manifest import ModelInfo
from vcd.descriptors.runtime import DescriptorModel
from vcd.errors import DescriptorError, MediaError, OutputError, PathLike
from vcd.media.decoder import Decoder, Limits
from vcd.records import Health, Stream, VideoDescriptor

__all__ = ["Describer"]

logger = logging.getLogger("vcd")

_WORDS: dict[Stream, str] = {"visual": "picture", "audio": "sound"}


class Describer:
    """Describes files with one model a stream; safe to share by threads.

    The cache keeps every stream of a file by itself, so another choice of streams, or another
    model for one of them, finds the rest again.

    Parameters
    ----------
    models : mapping of stream to ModelInfo
        The streams to describe.
    decoder : Decoder
    settings : DescribeSettings
    limits : Limits
    threads : int
        Inside one run of a model.
    cache : DescriptorCache, optional
    """

    def __init__(
        self,
        models: Mapping[Stream, ModelInfo],
        *,
        decoder: Decoder,
        settings: DescribeSettings,
        limits: Limits,
        threads: int = 1,
        cache: DescriptorCache | None = None,
    ) -> None:
        self._models = {
            stream: DescriptorModel(info, threads=threads) for stream, info in models.items()
        }
        self._decoder = decoder
        self._settings = settings
        self._limits = limits
        self._cache = cache
        self._cache_full = threading.Event()

    def describe(self, path: PathLike, *, video_id: str, cached: bool = True) -> VideoDescriptor:
        """Describe a file, or take from the cache what it holds of it.

        A file that lacks a wanted stream gives a descriptor without that track. A cache that is
        damaged or cannot be written is logged as a warning and stops nothing.

        Parameters
        ----------
        path : path-like
        video_id : str
        cached : bool
            False neither looks into the cache nor keeps anything there.

        Raises
        ------
        MediaError
            The file cannot be read, or nothing of the wanted streams it has could be decoded.
        ModelError
        """
        content = self._cache.content(path) if self._cache is not None and cached else None
        parts = {} if content is None else self._kept(content)
        missing = [stream for stream in self._models if stream not in parts]
        if missing:
            fresh = describe_file(
                path,
                video_id=video_id,
                visual=self._models["visual"] if "visual" in missing else None,
                audio=self._models["audio"] if "audio" in missing else None,
                decoder=self._decoder,
                settings=self._settings,
                limits=self._limits,
            )
            for stream in missing:
                parts[stream] = _part(fresh, stream)
                if content is not None:
                    self._keep(content, stream, parts[stream])
        joined = _join(video_id, [parts[stream] for stream in self._models])
        if joined.tracks and not any(len(track) for track in joined.tracks.values()):
            raise MediaError(
                f"no {' or '.join(_WORDS[t.stream] for t in joined.tracks.values())} of it could "
                "be decoded",
                file=path,
                remedy="play it to see whether it is whole",
            )
        return joined

    def _kept(self, content: str) -> dict[Stream, VideoDescriptor]:
        parts: dict[Stream, VideoDescriptor] = {}
        if self._cache is None:
            return parts
        for stream in self._models:
            try:
                kept = self._cache.get(content, self._cache_settings(stream))
            except DescriptorError as error:
                logger.warning("cache: %s", error)
            else:
                if kept is not None:
                    parts[stream] = kept
        return parts

    def _keep(self, content: str, stream: Stream, part: VideoDescriptor) -> None:
        if self._cache is None or self._cache_full.is_set():
            return
        try:
            self._cache.put(content, self._cache_settings(stream), part)
        except OutputError as error:
            self._cache_full.set()  # told once, not once a file
            logger.warning("nothing is kept: %s", error)

    def _cache_settings(self, stream: Stream) -> dict[str, object]:
        info = self._models[stream].info
        settings: dict[str, object] = {"model": info.id, "sha256": info.sha256}
        settings["decoder"] = self._decoder.name
        if stream == "visual":
            settings |= {"rate": self._settings.rate, "exact": self._settings.exact}
        return settings


def _part(descriptor: VideoDescriptor, stream: Stream) -> VideoDescriptor:
    """Return what a descriptor says of one stream."""
    health = descriptor.health
    seen, heard = stream == "visual", stream == "audio"
    return replace(
        descriptor,
        tracks={key: track for key, track in descriptor.tracks.items() if track.stream == stream},
        health=Health(
            frames_decoded=health.frames_decoded * seen,
            frames_expected=health.frames_expected * seen,
            samples_decoded=health.samples_decoded * heard,
            samples_expected=health.samples_expected * heard,
            warnings=health.warnings,
        ),
    )


def _join(video_id: str, parts: list[VideoDescriptor]) -> VideoDescriptor:
    """Return the streams of one file as one descriptor."""
    healths = [part.health for part in parts]
    return VideoDescriptor(
        video_id=video_id,
        duration=max(part.duration for part in parts),
        tracks={key: track for part in parts for key, track in part.tracks.items()},
        health=Health(
            frames_decoded=sum(h.frames_decoded for h in healths),
            frames_expected=sum(h.frames_expected for h in healths),
            samples_decoded=sum(h.samples_decoded for h in healths),
            samples_expected=sum(h.samples_expected for h in healths),
            warnings=tuple(dict.fromkeys(w for h in healths for w in h.warnings)),
        ),
    )
