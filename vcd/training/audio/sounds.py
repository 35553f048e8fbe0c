"""The sounds that training draws from: pieces of every sound file, plain and through a codec.

They are kept as spectrograms: that is where the network begins to learn, a quarter of the numbers,
and most edits of sound are simple there.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import torch
from av.error import FFmpegError

from vcd.errors import MediaError, OutputError, VcdError
from vcd.media import SAMPLE_RATE, Samples, Sampling, find_media, get_decoder
from vcd.training.audio.network import BANDS, STEP, Spectrogram

__all__ = ["RECORD", "STEPS", "Sounds", "gather", "open_sounds", "power"]

STEPS = 1279
"""Steps of a piece, the unit in which sounds are kept: twenty seconds."""

RECORD = np.dtype(
    [("file", "<i4"), ("plain", "<f2", (BANDS, STEPS)), ("coded", "<f2", (BANDS, STEPS))]
)
"""A piece: the number of its file, and `log_power` of its sound, plain and after a codec."""

Sounds = npt.NDArray[Any]
_PIECE = (STEPS + 1) * STEP  # samples
_FLOOR = 1e-10  # of the power, far below what can be heard
_SHORTEST = 4 * SAMPLE_RATE  # what is shorter is left out
_CODECS = (  # encoder, format, bits a second
    ("libmp3lame", "mp3", (16_000, 24_000, 32_000)),
    ("aac", "adts", (12_000, 16_000, 24_000)),
    ("libopus", "ogg", (8_000, 12_000, 16_000)),
)
_LARGEST_DELAY = SAMPLE_RATE // 5  # by which a codec may move sound


def gather(
    sources: Sequence[Path],
    out: Path,
    *,
    skip: tuple[float, float] | None = None,
    seed: int = 0,
    on_error: Callable[[VcdError], None],
) -> int:
    """Write the pieces of all sound of files and folders to one file; return how many there are.

    Parameters
    ----------
    sources : sequence of Path
        Sound files, videos, and folders of them.
    out : Path
        Gets an ``.npy`` file of `RECORD`.
    skip : (float, float), optional
        From where to where, in seconds, every file is kept from training, for calibration.
    seed : int
        Chooses the codecs.
    on_error : callable
        Told of every file that cannot be read.

    Raises
    ------
    MediaError
        No file has sound.
    OutputError
        The file cannot be written.
    """
    beside = out.with_name(out.name + ".part")
    count = 0
    try:
        with beside.open("wb") as file:
            _write_header(file, count)
            for number, samples in enumerate(_read(sources, on_error)):
                rng = np.random.default_rng((seed, number))
                for stretch in _to_use(samples, skip):
                    pieces = _pieces(stretch, number, rng)
                    file.write(pieces.tobytes())
                    count += len(pieces)
            _write_header(file, count)
        if not count:
            raise MediaError(
                "no sound to train on",
                file=", ".join(map(str, sources)),
                remedy="name folders with sound files or videos of four seconds at least",
            )
        beside.replace(out)
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror or error})", file=out, remedy="choose another path"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return count


def open_sounds(path: Path) -> Sounds:
    """Open a file that `gather` wrote, read from disk as it is used.

    Raises
    ------
    MediaError
        The file cannot be read, or is something else.
    """
    remedy = "gather sounds with: vcd train sounds"
    try:
        sounds: Sounds = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise MediaError(
            f"cannot be read ({error.strerror or error})", file=path, remedy="check the path"
        ) from error
    except ValueError as error:
        raise MediaError(f"holds no sounds ({error})", file=path, remedy=remedy) from error
    if sounds.dtype != RECORD or sounds.ndim != 1 or not len(sounds):
        raise MediaError("holds no sounds", file=path, remedy=remedy)
    return sounds


def _write_header(file: Any, count: int) -> None:
    """Write the header at the beginning; NumPy leaves room in it for a larger count."""
    file.seek(0)
    header = {"descr": np.lib.format.dtype_to_descr(RECORD), "fortran_order": False}
    np.lib.format.write_array_header_1_0(file, header | {"shape": (count,)})
    file.seek(0, os.SEEK_END)


def _read(
    sources: Sequence[Path], on_error: Callable[[VcdError], None]
) -> Iterator[npt.NDArray[np.float32]]:
    decoder = get_decoder()
    for path in find_media(sources, on_error=on_error):
        try:
            runs = decoder.read(path, Sampling(picture=False))
            parts = [run.samples for run in runs if isinstance(run, Samples)]
        except VcdError as error:
            on_error(error)
            continue
        if parts:
            yield np.concatenate(parts)


def _to_use(
    samples: npt.NDArray[np.float32], skip: tuple[float, float] | None
) -> Iterator[npt.NDArray[np.float32]]:
    bounds = [0, len(samples)]
    if skip is not None:
        bounds[1:1] = [min(round(at * SAMPLE_RATE), len(samples)) for at in skip]
    for first, end in zip(bounds[::2], bounds[1::2], strict=True):
        if end - first >= _SHORTEST:
            yield samples[first:end]


def power(pieces: npt.NDArray[np.float16]) -> torch.Tensor:
    """Return the power in mel bands that records hold as its logarithm."""
    return torch.from_numpy(pieces.astype(np.float32)).exp()


def _pieces(stretch: npt.NDArray[np.float32], number: int, rng: np.random.Generator) -> Sounds:
    """Cut a stretch; what is left over at its end is kept with some of what lies before it."""
    count = -(-len(stretch) // _PIECE)
    records = np.zeros(count, RECORD)
    records["file"] = number
    for name, samples in (("plain", stretch), ("coded", _through_codec(stretch, rng))):
        filled = np.resize(samples, max(len(samples), _PIECE))
        firsts = np.minimum(np.arange(count) * _PIECE, len(filled) - _PIECE)
        cut = torch.from_numpy(np.stack([filled[k : k + _PIECE] for k in firsts]))
        with torch.inference_mode():
            records[name] = (Spectrogram()(cut) + _FLOOR).log().half().numpy()
    return records


def _through_codec(
    samples: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return samples after a lossy codec, in step with what went in; as they are if that fails."""
    codec, container, rates = _CODECS[rng.integers(len(_CODECS))]
    try:
        decoded = _decoded(_encoded(samples, codec, container, int(rng.choice(rates))))
    except (FFmpegError, ValueError):  # an FFmpeg without this encoder
        return samples
    lag = _lag(samples, decoded)
    moved = np.zeros_like(samples)
    source = decoded[max(lag, 0) : max(lag, 0) + len(samples) - max(-lag, 0)]
    moved[max(-lag, 0) : max(-lag, 0) + len(source)] = source
    return moved


def _encoded(samples: npt.NDArray[np.float32], codec: str, container: str, rate: int) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = rate
        fifo = av.AudioFifo()
        kind = stream.codec_context.format.name
        resampler = av.AudioResampler(format=kind, layout="mono", rate=SAMPLE_RATE)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for part in resampler.resample(frame):
            part.pts = None
            fifo.write(part)
        size = stream.codec_context.frame_size or 1024
        while (chunk := fifo.read(size)) is not None or (chunk := fifo.read()) is not None:
            output.mux(stream.encode(chunk))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def _decoded(data: bytes) -> npt.NDArray[np.float32]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    parts = []
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate(parts)


def _lag(plain: npt.NDArray[np.float32], coded: npt.NDArray[np.float32]) -> int:
    """Return by how many samples the second comes later, by cross-correlation of the loudest."""
    size = 2**17
    if len(plain) <= size:
        first = 0
    else:
        power = np.add.reduceat(plain**2, np.arange(0, len(plain) - size, size))
        first = int(power.argmax()) * size
    n = min(size, len(plain) - first, len(coded) - first)
    spectrum = np.fft.rfft(plain[first : first + n], 2 * n).conj()
    spectrum *= np.fft.rfft(coded[first : first + n], 2 * n)
    correlation = np.fft.irfft(spectrum)
    near = np.concatenate([correlation[-_LARGEST_DELAY:], correlation[:_LARGEST_DELAY]])
    return int(near.argmax()) - _LARGEST_DELAY
