"""Loads and validates scenarios (``specs/scenarios/*.toml``) into the model's values.

All mistakes of a file are reported at once, each with its field (``step[3].size``;
steps count from 1, as in the run and its report).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.model.extents import KIB, MIB, PAGE, TOP
from hamkit.model.scenario import (
    AbuseStep,
    AddStep,
    Attribute,
    Errno,
    FaultStep,
    Machine,
    RetryStep,
    Scenario,
    Step,
    UseStep,
)

SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SIZE = re.compile(r"(0x[0-9a-f]+|[0-9]+)([kmgt]?)", re.IGNORECASE)
LEAST_BOOT_MEMORY = 128 * MIB  # below, a distribution's kernel and its initramfs do not come up
MOST_MEMORY = 64 << 30  # beyond, the memory block size changes and software emulation takes minutes
MOST_CPUS = 64
MOST_STEPS = 100


def parse_size(value: object) -> int:
    """Bytes from an integer, ``"0x..."`` or a number with K, M, G or T (binary).

    Raises ValueError for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{value!r} is not a size: write bytes, "0x..." or a number with K, M or G')
    return int(match[1], 0 if match[1].lower().startswith("0x") else 10) * SUFFIXES[match[2].upper()]


def _errno(value: object) -> Errno:
    try:
        return Errno.parse(str(value))
    except ValueError:
        known = ", ".join(e.word for e in Errno)
        raise ValueError(f"{value!r} is not a result: one of {known}") from None


Address = Annotated[int, BeforeValidator(parse_size), Field(ge=0, lt=TOP)]
Result = Annotated[Errno, BeforeValidator(_errno)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _About(_Table):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""


class _Machine(_Table):
    memory: Address
    boot_memory: Address
    cpus: Annotated[int, Field(ge=1, le=MOST_CPUS)] = 1


class _Add(_Table):
    action: Literal["add"]
    start: Address
    size: Address
    attr: Attribute = Attribute.RW
    expect: Result = Errno.OK

    def value(self) -> Step:
        return AddStep(self.start, self.size, self.attr, self.expect)


class _Use(_Table):
    action: Literal["use"]
    size: Annotated[int, BeforeValidator(parse_size), Field(ge=PAGE, lt=TOP)]

    def value(self) -> Step:
        return UseStep(self.size)


class _Retry(_Table):
    action: Literal["retry"]
    expect: Result = Errno.OK

    def value(self) -> Step:
        return RetryStep(self.expect)


class _Fault(_Table):
    action: Literal["fault"]
    count: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 1

    def value(self) -> Step:
        return FaultStep(self.count)


class _Abuse(_Table):
    action: Literal["abuse"]

    def value(self) -> Step:
        return AbuseStep()


_Action = Annotated[_Add | _Use | _Retry | _Fault | _Abuse, Field(discriminator="action")]


class _File(_Table):
    scenario: _About
    machine: _Machine
    step: Annotated[tuple[_Action, ...], Field(min_length=1, max_length=MOST_STEPS)]


def scenarios_folder() -> Path:
    return project_root() / "specs" / "scenarios"


def default_scenario() -> Path:
    """The scenario that a run takes when it is given none."""
    return scenarios_folder() / "default.toml"


def load(path: Path | None = None) -> Scenario:
    """Read a scenario; the default one without ``path``. Raises UserError naming every mistake."""
    path = path or default_scenario()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as bad:
        raise UserError(f"there is no scenario {path}", f"see {default_scenario()} for one") from bad
    except (OSError, UnicodeDecodeError) as bad:
        raise UserError(f"cannot read the scenario {path}: {bad}", "give a TOML file in UTF-8") from bad
    return parse(text, path.name)


def parse(text: str, name: str = "scenario") -> Scenario:
    """Scenario from TOML text; ``name`` stands before each mistake. Raises UserError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as bad:
        raise UserError(f"{name}: not readable as TOML: {bad}", "mend the named line") from bad
    try:
        file = _File.model_validate(data)
    except ValidationError as bad:
        raise _user_error(name, [_mistake(e) for e in bad.errors()] + _impossible(data)) from bad
    if mistakes := _impossible(data):
        raise _user_error(name, mistakes)
    machine = Machine(file.machine.memory, file.machine.boot_memory, file.machine.cpus)
    return Scenario(
        file.scenario.name, machine, tuple(s.value() for s in file.step), file.scenario.description
    )


def _user_error(name: str, mistakes: list[str]) -> UserError:
    return UserError("\n".join(f"{name}: {m}" for m in mistakes), "mend the named fields")


def _mistake(error: ErrorDetails) -> str:
    where = _where(error["loc"])
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{where}.action: missing or unknown, one of add, use, retry, fault, abuse"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"


def _impossible(data: dict[str, Any]) -> list[str]:
    """Values that no machine can have; read from the raw data, so that other mistakes do not hide them."""
    machine = data.get("machine")
    machine = machine if isinstance(machine, dict) else {}
    memory, boot = _quiet(machine.get("memory")), _quiet(machine.get("boot_memory"))
    found: list[str] = []
    if memory is not None and memory > MOST_MEMORY:
        found.append(f"machine.memory: {memory} bytes is more than {MOST_MEMORY >> 30}G")
    if memory is not None and memory % MIB:
        found.append("machine.memory: not a whole number of MiB")
    if boot is not None and boot % KIB:
        found.append("machine.boot_memory: not a whole number of KiB")
    if boot is not None and boot < LEAST_BOOT_MEMORY:
        found.append(f"machine.boot_memory: less than {LEAST_BOOT_MEMORY >> 20}M, no kernel boots in that")
    if memory is not None and boot is not None and boot > memory:
        found.append("machine.boot_memory: more than machine.memory")
    return found + _too_much_used(data.get("step"), memory)


def _too_much_used(steps: object, memory: int | None) -> list[str]:
    if memory is None or not isinstance(steps, list):
        return []
    uses = [(n, s) for n, s in enumerate(steps, 1) if isinstance(s, dict) and s.get("action") == "use"]
    sizes = [(n, _quiet(s.get("size"))) for n, s in uses]
    return [f"step[{n}].size: uses more than machine.memory" for n, size in sizes if size and size > memory]


def _quiet(value: object) -> int | None:
    """A size, or None where the field itself is already a mistake."""
    try:
        return parse_size(value)
    except ValueError:
        return None


def _where(location: tuple[int | str, ...]) -> str:
    """``("step", 2, "add", "size")`` as ``step[3].size``: pydantic adds the action's name to the path."""
    path = ""
    for position, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part + 1}]"
        elif not (position == 2 and location[0] == "step"):
            path += f".{part}" if path else part
    return path or "(file)"
