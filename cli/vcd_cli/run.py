"""One run of a match: references, then query by query, and what was found kept for pictures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from vcd import __version__
from vcd.engine import Engine, Finding, PreparedVideo
from vcd.gallery import Gallery, split
from vcd.records import Match
from vcd.report import MediaView, PairView, RunReport, plot_file_name, plot_pair, write_html
from vcd.sources import Given, Source, resolve
from vcd_cli.console import Console
from vcd_cli.pictures import thumbnails

__all__ = ["MatchRun"]


class MatchRun:
    """Searches queries in references and keeps every match with both of its videos.

    Parameters
    ----------
    engine : Engine
    console : Console
        Told of failures, damage and progress.
    top : int, optional
        Matches kept of each query.
    """

    def __init__(self, engine: Engine, console: Console, *, top: int | None = None) -> None:
        self._engine = engine
        self._console = console
        self._top = top
        self._queries = 0
        self._references = 0
        self._kept: list[tuple[Finding, Match]] = []

    def __len__(self) -> int:
        """Return the number of matches kept."""
        return len(self._kept)

    def search(self, queries: Given, references: list[Path]) -> Iterator[PairView]:
        """Yield each match as it is found, without matrices."""
        console, streams = self._console, self._engine.streams
        given, libraries = split(references, console.fail, self._engine.limits)
        described = []
        with console.step("describing references", len(given)) as step:
            for source, video in self._engine.prepare_all(
                given, on_error=console.fail, on_done=lambda _: step.advance()
            ):
                console.remark(source.name, video.descriptor, streams)
                described.append((source, video))
        gallery = Gallery(described, libraries)
        self._references = len(gallery)
        asked = resolve(queries, console.fail, self._engine.limits)
        self._queries = len(asked)
        with console.step("comparing", len(asked) * len(gallery)) as step:
            for finding in self._engine.search(
                asked, gallery, on_error=console.fail, on_compared=step.advance
            ):
                console.remark(finding.source.name, finding.query.descriptor, streams)
                for match in finding.matches[: self._top]:
                    self._kept.append((finding, match))
                    yield self._view(finding, match)

    def pairs(self) -> Iterator[PairView]:
        """Yield every match kept, with its matrices."""
        for finding, match in self._kept:
            yield self._view(finding, match, with_matrices=True)

    def plot(self, folder: Path) -> None:
        """Draw one picture a pair."""
        for pair in self.pairs():
            plot_pair(pair, folder / plot_file_name(pair))
        self._console.say(f"{len(self)} pictures in {folder}")

    def write_page(self, path: Path, *, subject: str, threshold: float) -> None:
        """Write the page of the run."""
        run = RunReport(
            pairs=self.pairs(),
            queries=self._queries,
            references=self._references,
            threshold=threshold,
            version=__version__,
            failures=tuple(self._console.failures),
            subject=subject,
            finished=datetime.now().astimezone(),
        )
        write_html(path, run, thumbnails=partial(thumbnails, self._engine))
        self._console.say(f"report in {path}")

    def _view(self, finding: Finding, match: Match, *, with_matrices: bool = False) -> PairView:
        source, reference = finding.references[match.ref_id]
        return PairView(
            match=match,
            query=_media_view(finding.source, finding.query),
            reference=_media_view(source, reference),
            matrices=self._engine.matrices(finding.query, reference) if with_matrices else {},
            sure_from=self._engine.sure_from,
        )


def _media_view(source: Source, video: PreparedVideo) -> MediaView:
    return MediaView(source.name, video.descriptor.duration, path=source.path)
