"""What describing a file costs, as a ratio to FFmpeg decoding all of it.

::

    python benchmarks/describe_cost.py [VIDEO] [--hour]

Without VIDEO a minute of 720p30 H.264 with B-frames and AAC sound is made; ``--hour`` repeats it 60
times, for the peak of memory. Both commands run as processes of their own, one after the other, on
the same file, and give one frame a second and mono sound at 16 kHz; CPU seconds are user + system
of the process and its children. System time is mostly first touches of memory, whose price differs
by a hundred times between machines; so the ratio of user time is printed beside. Needs the command
`ffmpeg`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

MAKE = (
    "ffmpeg -v error -y -f lavfi -i testsrc2=s=1280x720:r=30:d=60,noise=alls=12:allf=t "
    "-f lavfi -i sine=f=440:r=44100:d=60 -c:v libx264 -preset veryfast -bf 3 -g 250 -b:v 9M "
    "-pix_fmt yuv420p -c:a aac {path}"
)
DECODE = (
    "ffmpeg -v error -threads 1 -i {path} -vf fps=1,scale=224:224 -f rawvideo -y /dev/null "
    "-ac 1 -ar 16000 -f f32le -y /dev/null"
)
DESCRIBE = "{python} -m vcd_cli describe {path} --rate 1 --no-cache --jobs 1 --quiet"
RUNS = 5


class Cost(NamedTuple):
    """CPU seconds of a command, those spent outside the system, and its peak memory in MB."""

    total: float
    user: float
    peak: float


def cost(command: str) -> Cost:
    """Run a command and return what it cost."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        done = subprocess.run(command.split(), check=False, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures = f"{used.ru_utime} {used.ru_stime} {used.ru_maxrss / 1024} {done.returncode}"
        os.write(writer, figures.encode())
        os._exit(0)
    os.wait()
    user, system, peak, code = os.read(reader, 1000).decode().split()
    if code != "0":
        sys.exit(f"failed: {command}")
    return Cost(float(user) + float(system), float(user), float(peak))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--hour", action="store_true", help="repeat the file 60 times")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.video or Path(folder) / "minute.mp4"
        if options.video is None:
            subprocess.run(MAKE.format(path=path).split(), check=True)
        if options.hour:
            hour = Path(folder) / "hour.mp4"
            loop = f"ffmpeg -v error -stream_loop 59 -i {path} -c copy {hour}"
            subprocess.run(loop.split(), check=True)
            hourly = cost(DESCRIBE.format(path=hour, python=sys.executable))
            print(f"describe, an hour: {hourly.total:.1f} CPU s, peak {hourly.peak:.0f} MB")
            return
        ratios = []
        for _ in range(RUNS):
            decode = cost(DECODE.format(path=path))
            describe = cost(DESCRIBE.format(path=path, python=sys.executable))
            ratios.append((describe.total / decode.total, describe.user / decode.user))
            print(
                f"ffmpeg {decode.total:.2f} s ({decode.user:.2f} user), describe"
                f" {describe.total:.2f} s ({describe.user:.2f} user, peak {describe.peak:.0f} MB)"
            )
        total, user = (median(column) for column in zip(*ratios, strict=True))
        print(f"describe / ffmpeg, CPU: median {total:.2f}; user time alone {user:.2f}")


if __name__ == "__main__":
    main()
