"""Turns lines of full hashes, as `tx hash` writes them, into lines of compact ones.

``tx hash -S vcd video a.mp4 b.mp4 | python -m vcd.integrations.threatexchange > refs.txt``
"""

from __future__ import annotations

import sys

from vcd.errors import VcdError
from vcd.integrations.threatexchange.signal import VcdSignal


def main() -> int:
    """Read stdin, write stdout; exit with 3 where a line could not be read."""
    code = 0
    for number, line in enumerate(sys.stdin, 1):
        *before, text = line.split() or [""]
        if not text:
            continue
        try:
            sys.stdout.write(" ".join([*before, VcdSignal.compact(text)]) + "\n")
        except VcdError as error:
            sys.stderr.write(f"line {number}: {error}\n")
            code = 3
    return code


if __name__ == "__main__":
    sys.exit(main())
