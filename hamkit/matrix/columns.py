"""What is asked of each kernel and distribution, in order."""

from __future__ import annotations

from dataclasses import dataclass

from hamkit.errors import UserError
from hamkit.matrix.record import ColumnRecord


@dataclass(frozen=True)
class Column:
    """``meaning``: what a pass says."""

    name: str
    title: str
    meaning: str

    def record(self) -> ColumnRecord:
        return ColumnRecord(name=self.name, title=self.title, meaning=self.meaning)


COLUMNS = (
    Column("identify", "identified", "it is known what kernel this is"),
    Column("facts", "facts", "every fact that the series needs was found in its code, and is supported"),
    Column("patch", "series", "the patch series renders: each rule fired as often as it must"),
    Column("applies", "applies", "patch -p1 --fuzz=0 takes the whole series, without an offset"),
    Column("configures", "configures", "the boot-reserving configuration came out as it was asked for"),
    Column("builds", "builds", "the patched kernel compiles and links"),
    Column("modules", "modules", "HAM and its drivers compile for this kernel, without a warning"),
    Column("boots", "boots", "the kernel comes up in QEMU and its init runs"),
    Column("adds", "hot-adds", "the scenario ran to its end: memory was added and used"),
    Column("model", "model", "every counter after every step is what the reference model says"),
    Column("srpm", "source RPM", "the source RPM builds"),
    Column("rpm", "rpm", "the distribution's rpm takes it, by its rules and by its own programs"),
    Column("reproducible", "reproducible", "built twice, every artifact has the same bytes"),
)
NAMES = tuple(column.name for column in COLUMNS)
# Asked for by its own flag: minutes a kernel. What was measured before is shown without it.
OVERHEAD = Column("overhead", "overhead", "no kind of work costs the patched kernel more than its limit")


def until(name: str) -> tuple[Column, ...]:
    """The columns up to and with ``name``; all of them without one. Raises UserError."""
    if not name:
        return COLUMNS
    if name not in NAMES:
        raise UserError(f"no column is called {name!r}", f"one of {', '.join(NAMES)}")
    return COLUMNS[: NAMES.index(name) + 1]
