"""Loads and validates ``patches/series.toml``: the patches, their rules, edits and new files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from hamkit.errors import UserError
from hamkit.kernel.probing import Value

PLAN = "series.toml"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
TreePath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+./-]*$")]
Facts = Mapping[str, Value]
PIECE = re.compile(r"\[\^?\]?(?:\\.|[^]\\])*\]|(?:\\t| )+|\\.|.", re.DOTALL)  # a class is one piece
BLANKS = r"[ \t]+"
END = r"(?:[ \t]*/\*[^\n]*\*/|[ \t]*//[^\n]*)?[ \t]*\n"
COMMENTS = r"(?:[ \t]*/\*(?:[^*]|\*(?!/))*\*/[ \t]*\n)*"


def loose(find: str) -> str:
    """A regular expression that takes other layouts too.

    Any blanks stand for blanks; a line may end in blanks or a comment, and lines with nothing but a comment
    may follow it, unless the expression ends there.
    """
    pieces = PIECE.findall(find)
    last = max((at for at, piece in enumerate(pieces) if piece not in ")?"), default=0)
    taken = []
    for at, piece in enumerate(pieces):
        if set(piece.replace("\\t", " ")) == {" "}:
            taken.append(BLANKS)
        elif piece == r"\n":
            taken.append(END if at == last else END + COMMENTS)
        else:
            taken.append(piece)
    return "".join(taken)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _Item(_Table):
    """Used where every fact in ``when`` has the value given there."""

    when: Mapping[str, bool | int | str] = Field(default_factory=dict)

    def wanted(self, facts: Facts) -> bool:
        unknown = sorted(set(self.when) - set(facts))
        if unknown:
            raise UserError(f"patches/{PLAN}: no such fact: {', '.join(unknown)}", "see `invoke facts`")
        return all(facts[name] == value for name, value in self.when.items())


class NewFile(_Item):
    """A file of our own: ``path`` in the kernel tree, ``template`` below ``templates/kernel/``."""

    path: TreePath
    template: str


class Rules(_Item):
    """A semantic patch on one file; ``fires`` is how often each of its rules must match."""

    cocci: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+\.cocci$")]
    file: TreePath
    fires: Mapping[str, Annotated[int, Field(ge=1)]]


class Edit(_Item):
    """An anchored edit: a regular expression (``^`` and ``$`` at lines), its replacement, its matches.

    Blanks and ends of lines in it match other layouts too (see ``loose``).

    ``dispensable``: a tree may come without the file, and needs no edit then."""

    name: str
    file: TreePath
    find: str
    put: str
    fires: Annotated[int, Field(ge=1)]
    dispensable: bool = False

    @field_validator("find")
    @classmethod
    def _compiles(cls, text: str) -> str:
        try:
            re.compile(text, re.MULTILINE)
        except re.error as bad:
            raise ValueError(f"not a regular expression: {bad}") from None
        return text

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(loose(self.find), re.MULTILINE)


class Patch(_Table):
    """One concern: a subject, why it is needed, and what brings it about."""

    name: Name
    subject: Annotated[str, StringConstraints(max_length=72, pattern=r"^\S")]
    rationale: str
    new: tuple[NewFile, ...] = ()
    rules: tuple[Rules, ...] = ()
    edits: tuple[Edit, ...] = ()


class Need(_Table):
    """A fact that must have one of some values, and what is missing where it has another."""

    fact: str
    values: Annotated[tuple[bool | int | str, ...], Field(min_length=1)]
    reason: str


class Plan(_Table):
    """The series in its order, and the facts that it needs."""

    needs: tuple[Need, ...] = ()
    patch: Annotated[tuple[Patch, ...], Field(min_length=1)]

    def unsupported(self, facts: Facts) -> tuple[str, ...]:
        """Why the series does not fit a tree with these facts; empty when it does."""
        return tuple(
            f"{need.fact} is {facts.get(need.fact)!r}: {need.reason}"
            for need in self.needs
            if facts.get(need.fact) not in need.values
        )


def load_plan(folder: Path) -> Plan:
    """The plan of a folder of patches. Raises UserError with every mistake and its field."""
    path = folder / PLAN
    try:
        return Plan.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as bad:
        raise UserError(f"cannot read {path}: {bad.strerror}", "restore the folder patches/") from bad
    except tomllib.TOMLDecodeError as bad:
        raise UserError(f"{path}: {bad}", "mend the TOML") from bad
    except ValidationError as bad:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in bad.errors()]
        raise UserError(f"{path}: {'; '.join(faults)}", "mend these fields") from bad
