"""`vcd doctor`: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
from pathlib import Path

import typer

from vcd import __version__
from vcd_cli.options import processors

EXAMPLES = "Example: vcd doctor"

_NEEDED = ("numpy", "onnxruntime", "av", "typer", "rich", "platformdirs")
_EXTRAS = {
    "report": "matplotlib",
    "decord": "decord2",
    "train": "torch",
}


def doctor() -> int:
    """Show versions, models, cache and extras, and try one file end to end."""
    typer.echo(f"vcd {__version__}, Python {platform.python_version()}, {platform.platform()}")
    typer.echo(f"processors: {processors()}")
    for name in _NEEDED:
        typer.echo(f"{name}: {_version(name) or 'missing'}")
    for extra, name in _EXTRAS.items():
        found = _version(name)
        hint = f'not installed (pip install "vcd-engine[{extra}]")'
        typer.echo(f"{name}: {found or hint}")
    problems = [_check(title, check) for title, check in _CHECKS.items()]
    return 1 if any(problems) else 0


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _check(title: str, check: object) -> bool:
    """Run one check, print its line, and say whether it failed."""
    try:
        typer.echo(f"{title}: {check()}")  # type: ignore[operator]
    except Exception as error:  # a doctor tells what is wrong, whatever it is
        typer.echo(f"{title}: FAILED: {error}")
        return True
    return False


def _models() -> str:
    from vcd.descriptors import load_manifest
    from vcd.descriptors.check import check_model

    manifest = load_manifest()
    for stream in manifest.defaults:
        check_model(manifest.default(stream))
    return f"ok, {', '.join(manifest.defaults.values())} in {manifest.folder}"


def _cache() -> str:
    from vcd.descriptors import default_cache_folder
    from vcd.encoding import write_whole
    from vcd.errors import OutputError

    folder = default_cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be made ({error.strerror})", file=folder, remedy="use --cache or --no-cache"
        ) from error
    probe = folder / ".doctor"
    write_whole(probe, b"")
    probe.unlink()
    sizes = [path.stat().st_size for path in folder.rglob("*.vcd")]
    return f"ok, {len(sizes)} descriptors, {sum(sizes) / 1e6:.1f} MB in {folder}"


def _trial() -> str:
    import numpy as np

    from vcd.engine import Engine
    from vcd_eval.making.recording import write_video

    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8).repeat(20, axis=0).repeat(20, axis=1)
    tone = np.sin(np.arange(3 * 24_000) * 0.1).astype(np.float32) / 4
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.mp4"
        write_video(path, [scene] * 30, 10, tone)
        descriptor = Engine().describe(path)
    tracks = ", ".join(f"{len(t)} {t.key}" for t in descriptor.tracks.values())
    return f"ok, a made video of {descriptor.duration:.1f} s gave {tracks} descriptors"


_CHECKS = {"models": _models, "cache": _cache, "trial": _trial}
