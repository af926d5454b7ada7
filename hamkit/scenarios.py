"""Loads and validates scenarios (``specs/scenarios/*.toml``) into the model's values.

All mistakes of a file are reported at once, each with its field (``step[3].size``;
steps count from 1, as in the run and its report).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

from hamkit.errors import UserError
from hamkit.files import project_root, read_given
from hamkit.model import qemu
from hamkit.model.extents import GIB, KIB, MIB, PAGE, TOP
from hamkit.model.firmware import ram
from hamkit.model.i386 import Bitmap, Highmem, Kernel, MemOption
from hamkit.model.scenario import (
    AbuseStep,
    AddStep,
    Attribute,
    Errno,
    FaultStep,
    Line,
    Machine,
    RetryStep,
    RunStep,
    Scenario,
    Step,
    UseStep,
)

SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SIZE = re.compile(r"(0x[0-9a-f]+|[0-9]+)([kmgt]?)", re.IGNORECASE)
LINES = {
    "mainline": (Line.MAINLINE,),
    "2.4": (Line.LINUX24,),
    "both": (Line.MAINLINE, Line.LINUX24),
}
LEAST_BOOT_MEMORY = {
    Line.MAINLINE: 128 * MIB,  # below, a distribution's kernel and its initramfs do not come up
    Line.LINUX24: 16 * MIB,
}
LEAST_LOW_MEMORY = 32 * MIB
MOST_RESERVE = 896 * MIB  # all of lowmem
WATERMARKS = {"fields": (), "array": (256, 32)}  # lower_zone_reserve_ratio of kernels that have it
MOST_MEMORY = 64 << 30  # beyond, the memory block size changes and software emulation takes minutes
MOST_SWAP = GIB
MOST_CPUS = 64
MOST_STEPS = 100
LARGEST = 1 << 20  # bytes of a scenario file
MOST_WORDS = 10
RUNNABLE = ("memwork", "memfill", "hamctl", "hamabuse")  # what a step may run in the guest


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
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./:=+-]+$")]
Result = Annotated[Errno, BeforeValidator(_errno)]


def _mebibytes(value: object) -> int:
    size = parse_size(value)
    if size % MIB:
        raise ValueError(f"{value!r} is not a whole number of MiB")
    return size // MIB


def _typed(value: object) -> object:
    """A boot option's value as it is typed; a number alone is a size in bytes, as everywhere."""
    if isinstance(value, str):
        return value
    size = _mebibytes(value)
    if size < 0:
        raise ValueError(f"{value!r} is not a size")
    return f"{size}M"


Mebibytes = Annotated[int, BeforeValidator(_mebibytes), Field(ge=0, le=1 << 20)]
Typed = Annotated[str, BeforeValidator(_typed), StringConstraints(pattern=r"^[!#-~]{1,40}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _About(_Table):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    line: Literal["mainline", "2.4", "both"] = "mainline"


class _Machine(_Table):
    memory: Address
    boot_memory: Address
    low_memory: Address | None = None
    swap: Annotated[int, BeforeValidator(parse_size), Field(ge=0, le=MOST_SWAP, multiple_of=MIB)] = 0
    cpus: Annotated[int, Field(ge=1, le=MOST_CPUS)] = 1


class _Kernel(_Table):
    """The 2.4 line's kernel: configuration, boot option, and what differs from tree to tree."""

    highmem: Highmem = Highmem.G64
    reserve: Mebibytes = Kernel.reserve
    hotadd: Typed | None = None
    struct_page: Annotated[int, Field(ge=32, le=256, multiple_of=4)] = Kernel.struct_page
    mem_option: MemOption = MemOption.REPLACE
    max_order: Annotated[int, Field(ge=9, le=11)] = Kernel.max_order
    zone_ratios: Annotated[tuple[int, int, int], Field(min_length=3)] = Kernel.ratios
    zone_least: Annotated[int, Field(ge=1, le=255)] = Kernel.least
    watermarks: Literal["fields", "array"] = "fields"
    wait_queue: Annotated[int, Field(ge=0, le=64, multiple_of=4)] = Kernel.wait_queue
    bitmap: Bitmap = Bitmap.INCLUSIVE

    def value(self) -> Kernel:
        return Kernel(
            self.highmem,
            self.reserve,
            self.hotadd,
            self.struct_page,
            self.mem_option,
            self.max_order,
            self.zone_ratios,
            self.zone_least,
            lower_ratios=WATERMARKS[self.watermarks],
            wait_queue=self.wait_queue,
            bitmap=self.bitmap,
        )


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


class _Run(_Table):
    action: Literal["run"]
    words: Annotated[tuple[Word, ...], Field(min_length=1, max_length=MOST_WORDS)]

    @field_validator("words")
    @classmethod
    def _known(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if words[0] not in RUNNABLE:
            raise ValueError(f"{words[0]} is none of the guest's programs: {', '.join(RUNNABLE)}")
        return words

    def value(self) -> Step:
        return RunStep(self.words)


_Action = Annotated[_Add | _Use | _Retry | _Fault | _Abuse | _Run, Field(discriminator="action")]


class _File(_Table):
    scenario: _About
    machine: _Machine
    kernel: _Kernel = _Kernel()
    step: Annotated[tuple[_Action, ...], Field(min_length=1, max_length=MOST_STEPS)]


def scenarios_folder() -> Path:
    return project_root() / "specs" / "scenarios"


def default_scenario(line: Line = Line.MAINLINE, highmem: Highmem = Highmem.G64) -> Path:
    """The scenario that a run takes when it is given none."""
    below = Highmem.G64 is not highmem
    name = "default" if line is Line.MAINLINE else "regions-24-4g" if below else "regions-24"
    return scenarios_folder() / f"{name}.toml"


def load(path: Path | None = None, line: Line | None = None) -> Scenario:
    """Read a scenario; the default one without ``path``. Raises UserError naming every mistake, or when it
    is not for the ``line`` of kernels."""
    path = path or default_scenario(line or Line.MAINLINE)
    try:
        text = read_given(path, LARGEST).decode("utf-8")
    except FileNotFoundError as bad:
        raise UserError(f"there is no scenario {path}", f"see {default_scenario()} for one") from bad
    except (OSError, UnicodeDecodeError) as bad:
        why = bad.strerror if isinstance(bad, OSError) else "it is no text"
        raise UserError(f"cannot read the scenario {path}: {why}", "give a TOML file in UTF-8") from bad
    scenario = parse(text, path.name)
    if line and line not in scenario.lines:
        known = " and ".join(scenario.lines)
        hint = 'say line = "both" in it if its ranges suit both, or give another one'
        raise UserError(f"{path.name} is a scenario for {known} kernels, not for {line}", hint)
    return scenario


def parse(text: str, name: str = "scenario") -> Scenario:
    """Scenario from TOML text; ``name`` stands before each mistake. Raises UserError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as bad:
        raise UserError(f"{name}: not readable as TOML: {bad}", "mend the named line") from bad
    except RecursionError as bad:
        raise UserError(f"{name}: not readable as TOML: nested too deep", "a scenario is flat") from bad
    try:
        file = _File.model_validate(data)
    except ValidationError as bad:
        raise _user_error(name, [_mistake(e) for e in bad.errors()] + _impossible(data)) from bad
    if mistakes := _impossible(data):
        raise _user_error(name, mistakes)
    asked = file.machine
    machine = Machine(asked.memory, asked.boot_memory, asked.cpus, asked.low_memory, asked.swap)
    return Scenario(
        file.scenario.name,
        machine,
        tuple(s.value() for s in file.step),
        file.scenario.description,
        LINES[file.scenario.line],
        file.kernel.value(),
    )


def _user_error(name: str, mistakes: list[str]) -> UserError:
    return UserError("\n".join(f"{name}: {m}" for m in mistakes), "mend the named fields")


def _mistake(error: ErrorDetails) -> str:
    where = _where(error["loc"])
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{where}.action: missing or unknown, one of add, use, retry, fault, abuse, run"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"


def _impossible(data: dict[str, Any]) -> list[str]:
    """Values that no machine can have; read from the raw data, so that other mistakes do not hide them."""
    machine = _table(data, "machine")
    memory, boot = _quiet(machine.get("memory")), _quiet(machine.get("boot_memory"))
    lines = LINES.get(str(_table(data, "scenario").get("line", "mainline")), ())
    found = _impossible_memory(memory, _quiet(machine.get("low_memory")))
    if boot is not None and boot % KIB:
        found.append("machine.boot_memory: not a whole number of KiB")
    least = max((LEAST_BOOT_MEMORY[line] for line in lines), default=0)
    if boot is not None and boot < least:
        found.append(f"machine.boot_memory: less than {least >> 20}M, no kernel boots in that")
    if memory is not None and boot is not None and boot > memory:
        found.append("machine.boot_memory: more than machine.memory")
    if "kernel" in data and Line.LINUX24 not in lines:
        found.append('kernel: only for scenario.line = "2.4" or "both"')
    if not found and Line.LINUX24 in lines and memory is not None and boot is not None:
        found += _invented_memory(memory, boot, _quiet(machine.get("low_memory")))
    return found + _too_much_used(data.get("step"), memory, _quiet(machine.get("swap", 0)) or 0)


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name)
    return table if isinstance(table, dict) else {}


def _impossible_memory(memory: int | None, low: int | None) -> list[str]:
    found: list[str] = []
    if memory is not None and memory > MOST_MEMORY:
        found.append(f"machine.memory: {memory} bytes is more than {MOST_MEMORY >> 30}G")
    if memory is not None and memory % MIB:
        found.append("machine.memory: not a whole number of MiB")
    if low is not None and (low % MIB or not LEAST_LOW_MEMORY <= low <= 3 * GIB):
        found.append(f"machine.low_memory: not whole MiB from {LEAST_LOW_MEMORY >> 20}M to 3G")
    return found


def _invented_memory(memory: int, boot: int, low: int | None) -> list[str]:
    """Old kernels take ``mem=`` at its word: all below it is RAM to them, be there any or not."""
    end = ram(qemu.firmware_map(memory, "pc", low))[1].end
    if not end < boot < memory:
        return []
    return [f"machine.boot_memory: beyond {end:#x}, where RAM ends; for all of it give machine.memory"]


def _too_much_used(steps: object, memory: int | None, swap: int) -> list[str]:
    if memory is None or not isinstance(steps, list):
        return []
    most, what = memory + swap, "machine.memory and its swap" if swap else "machine.memory"
    uses = [(n, s) for n, s in enumerate(steps, 1) if isinstance(s, dict) and s.get("action") == "use"]
    sizes = [(n, _quiet(s.get("size"))) for n, s in uses]
    return [f"step[{n}].size: uses more than {what}" for n, size in sizes if size and size > most]


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
