"""How light the engine is: import time and modules, and the size of the core install.

::

    python benchmarks/footprint.py [--install]

``--install`` makes a fresh virtual environment with the core dependencies only, and measures its
site-packages.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "av", "onnxruntime", "matplotlib", "numpy", "typer", "rich")


def cpu(code: str) -> float:
    """Return the CPU seconds of a Python process that runs some code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--install", action="store_true")
    options = parser.parse_args()
    empty = min(cpu("pass") for _ in range(5))
    light = min(cpu("import vcd") for _ in range(5))
    full = min(cpu("import vcd; vcd.Engine") for _ in range(5))
    print(f"import vcd: {light:.3f} CPU s, of which Python itself {empty:.3f}")
    print(f"import vcd; vcd.Engine: {full:.3f} CPU s ({full / empty:.1f} x Python itself)")
    code = f"import sys, vcd; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"heavy modules loaded by import vcd: {run.stdout.strip()}")
    if options.install:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
            site = next(Path(folder).glob("lib/python*/site-packages"))
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
            command += ["--constraint", str(ROOT / "constraints.txt"), "--target", str(site)]
            subprocess.run([*command, str(ROOT)], check=True)
            sizes = {
                entry.name: sum(f.stat().st_size for f in entry.rglob("*") if f.is_file())
                for entry in site.iterdir()
                if entry.is_dir()
            }
            print(f"core install: {sum(sizes.values()) / 1e6:.0f} MB")
            for name in sorted(sizes, key=lambda name: -sizes[name])[:8]:
                print(f"  {name}: {sizes[name] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
