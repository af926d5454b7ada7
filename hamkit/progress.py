"""Progress of long work on standard error: rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Progress(Protocol):
    """Told of steps as they begin, of what happens in them, and of how they end."""

    def note(self, text: str) -> None: ...

    def step(self, title: str) -> Step: ...


class Step(Protocol):
    """One running step; ``note`` replaces what is shown of it."""

    def __enter__(self) -> Step: ...

    def __exit__(self, *unused: object) -> None: ...

    def note(self, text: str) -> None: ...


class PlainStep:
    """Prints a line when the step begins and when it ends."""

    def __init__(self, title: str, stream: TextIO) -> None:
        self._title, self._stream, self._begin = title, stream, time.monotonic()

    def __enter__(self) -> PlainStep:
        print(f"{self._title} ...", file=self._stream, flush=True)
        return self

    def __exit__(self, kind: object = None, *unused: object) -> None:
        word = "failed" if kind else "done"
        seconds = time.monotonic() - self._begin
        print(f"{self._title}: {word} in {seconds:.1f} s", file=self._stream, flush=True)

    def note(self, text: str) -> None:
        """Details are for a terminal; a log keeps one line a step."""


class RichStep:
    """A spinner with the latest detail, replaced by one line when the step ends."""

    def __init__(self, title: str, console: Console) -> None:
        self._title, self._console, self._begin = title, console, time.monotonic()
        self._status = Status(escape(title), console=console)

    def __enter__(self) -> RichStep:
        self._status.start()
        return self

    def __exit__(self, kind: object = None, *unused: object) -> None:
        self._status.stop()
        mark = "[red]failed[/]" if kind else "[green]done[/]"
        self._console.print(f"{mark} {escape(self._title)} ({time.monotonic() - self._begin:.1f} s)")

    def note(self, text: str) -> None:
        width = max(20, self._console.width - len(self._title) - 8)
        self._status.update(f"{escape(self._title)} [dim]{escape(text[:width])}[/]")


class Reporter:
    """The Progress of a task: chooses rich or plain by what standard error is."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._console = Console(file=self._stream, highlight=False) if self._stream.isatty() else None

    def note(self, text: str) -> None:
        if self._console:
            self._console.print(f"[dim]{escape(text)}[/]")
        else:
            print(text, file=self._stream, flush=True)

    def step(self, title: str) -> Step:
        if self._console:
            return RichStep(title, self._console)
        return PlainStep(title, self._stream)


class Quiet:
    """A Progress that shows nothing, for callers that only want the result."""

    def note(self, text: str) -> None: ...

    def step(self, title: str) -> Step:
        return _QuietStep()


class _QuietStep:
    def __enter__(self) -> _QuietStep:
        return self

    def __exit__(self, *unused: object) -> None: ...

    def note(self, text: str) -> None: ...
