"""A file in, its descriptor out: one pass over the media, both tracks at once."""

from __future__ import annotations

from dataclasses import dataclass

from vcd.descriptors.audio import AudioTrackBuilder
from vcd.descriptors.runtime import DescriptorModel
from vcd.descriptors.visual import VisualTrackBuilder
from vcd.errors import PathLike
from vcd.media.decoder import Decoder, Frame, Limits, Sampling
from vcd.records import VideoDescriptor

__all__ = ["DESCRIPTION", "DescribeSettings", "describe_file"]

DESCRIPTION = 9
"""Rises whenever the same model gives other tracks of the same file: caches and libraries describe
it anew then."""


@dataclass(frozen=True, slots=True)
class DescribeSettings:
    """What makes two descriptions of one file the same.

    `rate` is in frames a second; `exact` decodes every frame (see `vcd.media.Sampling`).
    """

    rate: float = 2.0
    exact: bool = False

    def __post_init__(self) -> None:
        Sampling(rate=self.rate, exact=self.exact)  # refuses what no decoder could do


def describe_file(
    path: PathLike,
    *,
    video_id: str,
    visual: DescriptorModel | None,
    audio: DescriptorModel | None,
    decoder: Decoder,
    settings: DescribeSettings,
    limits: Limits,
) -> VideoDescriptor:
    """Describe one file.

    Parameters
    ----------
    path : path-like
    video_id : str
        Name under which results mention the video.
    visual, audio : DescriptorModel or None
        None leaves the stream out.

    Returns
    -------
    VideoDescriptor
        With a track for each wanted stream that the file has, perhaps none, and further views of
        the picture where frames have borders, halves or an inset, and of the sound played faster;
        vectors are int8.

    Raises
    ------
    MediaError
        The file cannot be read.
    ModelError
        A model cannot be used.
    """
    size = None
    if visual is not None:
        size = (int(visual.info.input["width"]), int(visual.info.input["height"]))
    sampling = Sampling(
        rate=settings.rate,
        size=size,
        picture=visual is not None,
        sound=audio is not None,
        exact=settings.exact,
    )
    recording = decoder.read(path, sampling, limits=limits)
    seen = VisualTrackBuilder(visual) if visual and recording.info.has_picture else None
    heard = AudioTrackBuilder(audio) if audio and recording.info.has_sound else None
    for part in recording:
        if isinstance(part, Frame):
            if seen is not None:
                seen.add(part)
        elif heard is not None:
            heard.add(part)
    tracks = seen.finish() if seen is not None else []
    if heard is not None:
        tracks += heard.finish()
    return VideoDescriptor(
        video_id=video_id,
        duration=recording.duration,
        tracks={track.key: track.quantised() for track in tracks},
        health=recording.health,
    )
