"""What reading a film costs beside FFmpeg's full decoding of it: CPU time, memory, exactness.

``python benchmarks/decode_cost.py`` makes a film of 60 s (1280x720, 30 frames a second, H.264 with
B-frames in groups of 250, AAC) and prints ratios and memory; ``--hour`` loops it to an hour and
prints time and memory of that as well. ``--file`` measures a film of your own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RATE, SIDE = 1.0, 224


def make_film(path: Path, seconds: int) -> None:
    """Write a film with motion and grain, about 9 Mbit/s."""
    grain = f"testsrc2=s=1280x720:r=30:d={seconds},noise=alls=6:allf=t"
    zoom = f"mandelbrot=s=640x360:r=30:end_scale=0.02:end_pts={30 * seconds}"
    mix = "[1]scale=1280:720,format=yuv420p[z];[0]format=yuv420p[g];[g][z]blend=all_mode=average"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", grain, "-f", "lavfi", "-i", zoom]
    command += ["-f", "lavfi", "-i", f"sine=440:d={seconds}", "-filter_complex", mix]
    command += ["-t", str(seconds), "-c:v", "libx264", "-preset", "faster", "-bf", "3", "-g", "250"]
    command += ["-b:v", "9M", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2", str(path)]
    subprocess.run(command, check=True)


def loop_film(film: Path, path: Path, times: int) -> None:
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", str(times - 1), "-i", str(film)]
    subprocess.run([*command, "-c", "copy", str(path)], check=True)


def length_of(film: Path) -> float:
    """Return the length of a film in seconds."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    done = subprocess.run([*command, str(film)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def cpu_of(command: list[str]) -> tuple[float, str]:
    """Run a command; return its CPU seconds (user and system) and what it wrote."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent, done.stdout


def full_decode(film: Path, *, sound: bool = True) -> list[str]:
    command = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", str(film)]
    command += ["-filter_threads", "1", "-an", "-vf", f"fps={RATE:g},scale={SIDE}:{SIDE}"]
    command += ["-f", "rawvideo", os.devnull]
    if sound:
        command += ["-vn", "-ac", "1", "-ar", "16000", "-f", "f32le", os.devnull]
    return command


def read_here(film: str, decoder: str, exact: bool) -> None:
    """Read a film and print what was found; runs in a process of its own."""
    from vcd.media import Frame, Sampling, get_decoder

    chosen = get_decoder(decoder)
    start, wall = time.process_time(), time.perf_counter()
    recording = chosen.read(film, Sampling(rate=RATE, size=(SIDE, SIDE), exact=exact))
    times = [item.time for item in recording if isinstance(item, Frame)]
    spent = time.process_time() - start
    found = {
        "cpu": spent,
        "wall": time.perf_counter() - wall,
        "times": times,
        "rate": recording.info.frame_rate,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


def measure(film: Path, decoders: list[str], repeat: int, *, reference: bool) -> None:
    """Print the least CPU time of each way; the ways take turns, as a busy machine slows all."""
    ways: dict[str, list[str]] = {}
    if reference:
        ways["ffmpeg, everything"] = full_decode(film)
    for decoder in decoders:
        here = [sys.executable, __file__, "--read", decoder, "--file", str(film)]
        if reference and decoder == "pyav":
            ways[f"vcd, {decoder}, exact"] = [*here, "--exact"]
        ways[f"vcd, {decoder}"] = here
    whole = dict.fromkeys(ways, float("inf"))
    found: dict[str, dict[str, Any]] = {}
    for _ in range(repeat):
        for name, command in ways.items():
            spent, out = cpu_of(command)
            whole[name] = min(whole[name], spent)
            one = json.loads(out) if out else {"cpu": spent, "times": [], "rate": 0, "rss": 0}
            if name not in found or one["cpu"] < found[name]["cpu"]:
                found[name] = one
    full, exact = found.get("ffmpeg, everything"), found.get("vcd, pyav, exact")
    for name, one in found.items():
        facts = [f"{one['cpu']:8.2f} s CPU"]
        if full is not None:
            ratios = one["cpu"] / full["cpu"], whole[name] / full["cpu"]
            facts.append("ratio {:.2f} ({:.2f} with start-up)".format(*ratios))
        if one["times"]:
            facts.append(f"{len(one['times'])} frames")
            if exact is not None:
                pairs = zip(exact["times"], one["times"], strict=True)
                off = max(abs(x - y) for x, y in pairs) * one["rate"]
                facts.append(f"at most {off:.1f} frames off the rule")
            facts.append(f"{one['rss']:.0f} MB")
        print(f"{name:20s} {', '.join(facts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, help="measure this film instead of making one")
    parser.add_argument("--seconds", type=int, default=60, help="length of the film made")
    parser.add_argument("--keep", type=Path, help="keep the film made here, or take it from here")
    parser.add_argument("--hour", action="store_true", help="also read an hour of it")
    parser.add_argument("--repeat", type=int, default=3, help="the least of so many runs counts")
    parser.add_argument("--decord", action="store_true", help="measure decord as well")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--exact", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        read_here(str(args.file), args.read, args.exact)
        return
    if shutil.which("ffmpeg") is None:
        print("the ffmpeg command is needed to compare with")
        return
    decoders = ["pyav", *(["decord"] if args.decord else [])]
    with tempfile.TemporaryDirectory() as folder:
        film = args.file or args.keep or Path(folder) / "film.mp4"
        if not film.exists():
            make_film(film, args.seconds)
        measure(film, decoders, args.repeat, reference=True)
        if args.hour:
            hour = Path(folder) / f"hour{film.suffix}"
            loop_film(film, hour, max(1, round(3600 / length_of(film))))
            print("one hour:")
            measure(hour, ["pyav"], 1, reference=False)


if __name__ == "__main__":
    main()
