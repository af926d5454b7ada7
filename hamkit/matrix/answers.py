"""Makes cells and answers out of what stages return and raise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from hamkit.courses.reproduce import Reproduced
from hamkit.errors import HamkitError, MissingNeed
from hamkit.matrix.graph import Answer
from hamkit.matrix.record import Cell, Text
from hamkit.publish.places import Places
from hamkit.stage import StageResult, Stopwatch, Verdict

MOST_TEXT = 64 << 10  # characters that are kept of a log: its end
LONGEST_LINE = 400


class Texts:
    """The texts of one answer, by digest."""

    def __init__(self) -> None:
        self.by_digest: dict[str, str] = {}
        self._places = Places.of_this_machine()

    def add(self, name: str, text: str, whole: bool = False) -> Text:
        """A text under its digest; a log is cut at its beginning, and folders of this machine are hidden."""
        if not whole:
            text = self._places.hide(text if len(text) <= MOST_TEXT else "[...]\n" + text[-MOST_TEXT:])
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        self.by_digest[digest] = text
        return Text(name=name, digest=digest)

    def log(self, path: Path) -> tuple[Text, ...]:
        """A log file, if it is there and says something."""
        if not path.is_file():
            return ()
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
        return (self.add(path.name, text),) if text.strip() else ()

    def hide(self, text: str) -> str:
        return one_line(self._places.hide(text))


def one_line(text: str) -> str:
    """The first lines of a message joined, not too long."""
    line = "; ".join(part.strip() for part in text.splitlines() if part.strip())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def of_stage(column: str, stage: StageResult, named: Texts, **more: Any) -> Cell:
    """A stage's result as a cell."""
    return Cell(
        column=column,
        verdict=stage.verdict,
        detail=named.hide(stage.detail),
        seconds=stage.seconds,
        **more,
    )


def failed(column: str, bad: HamkitError, seconds: float, texts: Texts, logs: Iterable[Path] = ()) -> Cell:
    """An error as a cell: what is missing was not run, all else failed."""
    verdict = Verdict.NOT_RUN if isinstance(bad, MissingNeed) else Verdict.FAIL
    kept = tuple(text for path in logs for text in texts.log(path))
    said = bad.message if verdict is Verdict.FAIL else f"{bad.message} ({bad.hint})"
    return Cell(column=column, verdict=verdict, detail=texts.hide(said), seconds=seconds, texts=kept)


def reproduced_cell(made: Reproduced, texts: Texts) -> Cell:
    """What was built twice, with the explanation of each difference as a text."""
    other = [each for each in made.artifacts if not each.same]
    kept = tuple(texts.add(f"{each.name} twice", each.why) for each in other)
    return of_stage("reproducible", made.stage, texts, texts=kept, facts=dict(made.stage.facts))


def guarded(
    column: str, texts: Texts, ask: Callable[[], Answer], logs: Callable[[], Iterable[Path]]
) -> Answer:
    """``ask``, with an expected error as the answer."""
    watch = Stopwatch()
    try:
        return ask()
    except HamkitError as bad:
        return Answer((failed(column, bad, watch.seconds, texts, logs()),), texts=texts.by_digest)


def digest_of(parts: Mapping[str, str]) -> str:
    """One digest for what a node made."""
    text = "".join(f"{name}={value}\n" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()
