"""What a run over a haystack has found so far: one JSON line a query, behind a line of settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vcd.encoding import write_whole
from vcd.errors import OutputError
from vcd.records import Match
from vcd_eval.formats import PairTable, SegmentTable

__all__ = ["Progress"]


class Progress:
    """The queries that are done, in memory and in a file that survives an interruption.

    Parameters
    ----------
    path : Path
        Begun anew where it holds a run of other settings; what is damaged in it is not done.
    settings : mapping
        Everything the findings depend on but the queries themselves; plain values for JSON.
    stamps : mapping of str to object
        What tells each query of now from another file of its name; those that the file has under
        another stamp, or that are no longer there, are not done.

    Raises
    ------
    OutputError
        The file cannot be written.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, Any], stamps: Mapping[str, object]
    ) -> None:
        self._path = path
        self._stamps = stamps
        self._done: dict[str, dict[str, Any]] = {}
        lines = list(self._lines())
        if lines and lines[0] == settings:
            for line in lines[1:]:
                if _is_row(line) and line["stamp"] == stamps.get(line["query"]):
                    self._done[line["query"]] = line
        # Written anew: a last line may have been cut off.
        rows = [settings, *self._done.values()]
        write_whole(path, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def __contains__(self, query: str) -> bool:
        """Whether a query is done."""
        return query in self._done

    @property
    def queries(self) -> list[str]:
        """The queries that are done."""
        return list(self._done)

    def add(
        self,
        query: str,
        matches: Sequence[Mapping[str, Match]],
        closest: Mapping[str, Mapping[str, float]],
    ) -> None:
        """Keep what was found of a query: matches by pass, and cosines by stream and reference.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        found: dict[str, list[list[Any]]] = {}
        for pair in matches:
            for run, match in pair.items():
                found.setdefault(run, []).extend(
                    [match.ref_id, s.query_start, s.query_end, s.ref_start, s.ref_end, s.score]
                    for s in match.segments
                )
        row: dict[str, Any] = {
            "query": query,
            "stamp": self._stamps[query],
            "found": found,
            "closest": {stream: dict(of) for stream, of in closest.items()},
        }
        row["checksum"] = _checksum(row)
        self._done[query] = row
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise OutputError(
                f"cannot be written ({error.strerror or error})",
                file=self._path,
                remedy="make room, and start the same command again: it goes on from here",
            ) from error

    def segments(self, run: str) -> SegmentTable:
        """Return the predictions of a run, the most certain first."""
        rows = [(query, *row) for query, line in self._done.items() for row in _of(line, run)]
        rows.sort(key=lambda row: (-row[6], row[:6]))
        numbers = np.array([row[2:] for row in rows], np.float64).reshape(-1, 5)
        return SegmentTable(
            query_ids=[row[0] for row in rows],
            ref_ids=[row[1] for row in rows],
            query_times=numbers[:, :2],
            ref_times=numbers[:, 2:4],
            scores=numbers[:, 4],
        )

    def closest(self, stream: str, most: int) -> PairTable:
        """Return the pairs whose closest descriptors are the most alike, `most` at the most."""
        rows = [
            (query, ref, cosine)
            for query, line in self._done.items()
            for ref, cosine in line["closest"].get(stream, {}).items()
        ]
        rows.sort(key=lambda row: (-row[2], row[:2]))
        del rows[most:]
        return PairTable(
            query_ids=[row[0] for row in rows],
            ref_ids=[row[1] for row in rows],
            scores=np.array([row[2] for row in rows], np.float64),
        )

    def _lines(self) -> Iterator[Any]:
        if not self._path.is_file():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                continue  # cut off, or damaged


def _is_row(line: object) -> bool:
    return (
        isinstance(line, dict)
        and isinstance(line.get("query"), str)
        and "stamp" in line
        and isinstance(line.get("found"), dict)
        and isinstance(line.get("closest"), dict)
        and line.get("checksum") == _checksum(line)
    )


def _checksum(row: Mapping[str, Any]) -> str:
    """Return what tells a row from a damaged one, its own checksum aside."""
    text = json.dumps({name: row[name] for name in row if name != "checksum"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _of(line: Mapping[str, Any], run: str) -> list[list[Any]]:
    rows: list[list[Any]] = line["found"].get(run, [])
    return rows
