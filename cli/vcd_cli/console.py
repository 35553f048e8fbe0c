"""What a person sees while a command runs: warnings, failures and progress, all on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vcd.errors import VcdError
from vcd.records import Stream, VideoDescriptor

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Console", "Step"]


class Step:
    """One counted part of the work; `advance` moves its bar."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress = progress
        self._task = task

    def advance(self, items: int = 1) -> None:
        """Count more items as done; threads may call it."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, items)

    def expect(self, total: int) -> None:
        """Say how many items there are to do, where that is known only now."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total)

    def reach(self, done: int, total: int) -> None:
        """Say how many items of how many are done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total)


class Console:
    """Prints to stderr, and remembers what failed.

    Parameters
    ----------
    quiet : bool
        Print failures only, no progress and no warnings.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.failures: list[VcdError] = []
        self._progress: Progress | None = None
        handler = logging.Handler()
        handler.emit = lambda record: self.warn(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("vcd")
        logger.handlers, logger.propagate = [handler], False

    def fail(self, error: VcdError) -> None:
        """Report an input that could not be used."""
        self.failures.append(error)
        self._line(f"vcd: {error}")

    def warn(self, message: str) -> None:
        """Say something that did not stop the work."""
        if not self.quiet:
            self._line(f"vcd: warning: {message}")

    def remark(self, name: str, descriptor: VideoDescriptor, streams: Sequence[Stream]) -> None:
        """Pass on what was lost or odd in a file, and that it has none of the wanted streams."""
        for warning in descriptor.health.warnings:
            self.warn(f"{name}: {warning}")
        if not any(track.stream in streams for track in descriptor.tracks.values()):
            self.warn(f"{name}: has no {' or '.join(streams)} stream; nothing to compare")

    def say(self, message: str) -> None:
        """Tell what was done."""
        if not self.quiet:
            self._line(message)

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Step]:
        """Show a bar with rate and remaining time while the body runs, on a terminal only.

        Where the total is not known yet, the body tells it by `Step.expect`.
        """
        if self.quiet or (total is not None and total < 2) or not sys.stderr.isatty():
            yield Step(None, None)
            return
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        from vcd_cli.rate import RateColumn

        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
            console=RichConsole(stderr=True),
            transient=True,
        ) as progress:
            self._progress = progress
            try:
                yield Step(progress, progress.add_task(title, total=total))
            finally:
                self._progress = None

    def _line(self, text: str) -> None:
        if self._progress is not None:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is where printing lives
