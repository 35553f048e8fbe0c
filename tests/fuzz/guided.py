"""The parsers that are ours, fuzzed with atheris: inputs that reach new code are bred further.

::

    pip install "vcd-engine[fuzz]"
    python tests/fuzz/guided.py [PARSER ...] [--seconds 60] [--keep DIR]

Each parser has a process of its own, which begins with whole files and damaged ones. What is no
`VcdError`, and what takes longer than 10 seconds or more than 2 GB, ends it and is kept in the
folder. Where a checksum would keep everything else from being tried, it is set right.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from pathlib import Path

import atheris

HERE = Path(__file__).resolve()
sys.path += [str(HERE.parent), str(HERE.parents[1] / "vcd")]

INSTRUMENTED = ["vcd", "vcd_eval", "csv", "json", "tomllib"]

with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=INSTRUMENTED):
    import numpy as np
    from making import make_descriptor, make_track
    from stored import HARD, read_or_refuse, whole_files

    from vcd import encoding
    from vcd.descriptors import load_manifest
    from vcd.errors import DescriptorError, HashStringError
    from vcd.integrations.threatexchange.hashes import compact_hash, full_hash, parse_hash
    from vcd.media import messages

Target = tuple[Callable[[bytes], object], list[bytes]]

ARCHIVES = {  # what arrays are called in them
    "many.npz": ["video_ids", "timestamps", "features", "weights", "vcd", "audio:video_ids"],
    "features.npz": ["video_ids", "timestamps", "features"],
    "matrices.npz": ["a_b_sim", "a_b_fps", "a_b_qd", "a_b_rd", "a_b_qn", "a_b_rn"],
}
KINDS = ["<f4", "<f8", "<i8", "|i1", "<U2", "|S2", "<M8[s]", "<c8", "|b1", ">f2"]


def targets(folder: Path) -> dict[str, Target]:
    """Return by name what is fuzzed, and what it begins with."""
    readers = whole_files(folder)
    found: dict[str, Target] = {
        "descriptor": (read_descriptor, [make_descriptor(n=n).to_bytes() for n in (0, 2)]),
        "hash": (read_hash, hashes()),
        "message": (read_message, MESSAGES),
    }
    for name, read in readers.items():
        path = folder / name
        found[name] = (through_file(path, read), [path.read_bytes(), *HARD.values()])
        if name in ARCHIVES:
            found[f"arrays of {name}"] = (through_arrays(path, read, ARCHIVES[name]), [])
    return found


def through_file(path: Path, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return what reads bytes as the file of that name."""

    def reading(data: bytes) -> None:
        path.write_bytes(data)
        read_or_refuse(path, read)

    return reading


def through_arrays(
    path: Path, read: Callable[[Path], object], names: list[str]
) -> Callable[[bytes], object]:
    """Return what reads an archive, which is whole, of arrays that the bytes say."""

    def reading(data: bytes) -> None:
        said = atheris.FuzzedDataProvider(data)
        arrays = {}
        for name in names:
            kind = np.dtype(KINDS[said.ConsumeIntInRange(0, len(KINDS) - 1)])
            shape = [said.ConsumeIntInRange(0, 4) for _ in range(said.ConsumeIntInRange(0, 3))]
            if name == "vcd" and said.ConsumeBool():
                arrays[name] = np.array([said.ConsumeUnicodeNoSurrogates(200)])
            elif said.ConsumeIntInRange(0, 9):  # else it is missing
                size = kind.itemsize * int(np.prod(shape))
                content = said.ConsumeBytes(size).ljust(size, b"\1")
                if kind.kind == "U":  # not any number is a character
                    content = (np.frombuffer(content, np.uint32) % 0xD800).tobytes()
                arrays[name] = np.frombuffer(content, kind).reshape(shape)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        path.write_bytes(buffer.getvalue())
        read_or_refuse(path, read)

    return reading


def read_descriptor(data: bytes) -> None:
    """Read a byte string, with and without its length and checksum set right."""
    sealed = bytearray(data[:-16].ljust(20, b"\0"))
    sealed[:6] = b"VCDD\1\0"
    sealed[12:20] = struct.pack("<Q", len(sealed) + 16)
    sealed += hashlib.blake2b(sealed, digest_size=16).digest()
    for given in (data, bytes(sealed)):
        with suppress(DescriptorError):
            found = encoding.from_bytes(given)
            assert encoding.from_bytes(found.to_bytes()).to_bytes() == found.to_bytes()


def hashes() -> list[bytes]:
    """Return hash strings of both forms."""
    made = []
    for stream, info in MODELS.items():
        track = make_track(3, info.dimensions, stream=stream, model=info.id)
        descriptor = make_descriptor(n=3, tracks=[track])
        made += [compact_hash(descriptor).encode(), full_hash(descriptor).encode()]
    return made


def read_hash(data: bytes) -> None:
    """Read a hash string, with and without its checksum set right."""
    text = data.decode("utf-8", "replace")
    fields = text.split(":")
    if len(fields) > 2:
        rest = ":".join([*fields[:-2], fields[-1]])
        fields[-2] = hashlib.blake2b(rest.encode("utf-8", "replace"), digest_size=8).hexdigest()
    for given in (text, ":".join(fields)):
        with suppress(HashStringError):
            parse_hash(given, MODELS)


MESSAGES = [
    b'\3{"kind": "video", "duration": 1.5, "width": 64, "height": 48, "frame_rate": 10.0, '
    b'"rotation": 0, "video_codec": "h264", "audio_codec": ""}\n',
    b'\4{"start": 0.0, "end": 0.5, "time": 0.25, "shape": [1, 2, 3]}\n123456',
    b'\5{"start": 0.0}\n\0\0\0\0\0\0\0\0',
    b'\6{"duration": 1.5, "health": {"frames_decoded": 1, "frames_expected": 1, '
    b'"samples_decoded": 0, "samples_expected": 0, "warnings": ["a"]}}\n',
]


def read_message(data: bytes) -> None:
    """Receive what a process that reads media might say, and believe what can be."""
    head, _, body = data[1:].partition(b"\n")
    ours, theirs = socket.socketpair()
    with ours, theirs, suppress(messages.BrokenMessageError):
        start = messages._HEADER.pack(data[0] if data else 0, len(head), len(body))
        theirs.sendall((start + head + body)[:100_000])
        theirs.shutdown(socket.SHUT_WR)
        message = messages.receive(ours, most=1 << 20)
        if message is None:
            return
        for believe in (
            messages.info_of,
            messages.frame_of,
            messages.samples_of,
            messages.ending_of,
        ):
            with suppress(messages.BrokenMessageError):
                believe(message)


MODELS = {stream: load_manifest().default(stream) for stream in ("visual", "audio")}


def fuzz(name: str, folder: Path, seconds: int, keep: Path) -> None:
    """Fuzz one parser; never returns."""
    test, seeds = targets(folder)[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed[:100_000])
    flags = ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-seed=1"]
    flags += [f"-max_total_time={seconds}", f"-artifact_prefix={keep}/{name.replace(' ', '-')}-"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], test)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each parser")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.keep.mkdir(exist_ok=True, parents=True)
    if options.inside is not None:
        fuzz(options.parsers[0], options.inside, options.seconds, options.keep)
    with tempfile.TemporaryDirectory() as folder:
        names = options.parsers or list(targets(Path(folder)))
    bad = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(HERE), name, "--inside", folder]
            command += ["--seconds", str(options.seconds), "--keep", str(options.keep)]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        told = run.stdout + run.stderr
        counts = re.findall(r"number_of_executed_units: *(\d+)", told)
        reached = re.findall(r"cov: (\d+)", told)
        told = told[told.rfind("=== Uncaught") :] if "=== Uncaught" in told else told
        verdict = "ends well" if run.returncode == 0 else f"FAILS, code {run.returncode}"
        print(f"{name:24} {(counts or ['?'])[0]:>9} inputs, coverage", end=" ")
        print(f"{(reached or ['?'])[0]} to {(reached or ['?'])[-1]}: {verdict}", flush=True)
        if run.returncode:
            bad += 1
            print("\n".join(told.splitlines()[-40:]))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
