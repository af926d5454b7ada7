"""Lists of packages as rpm, ls and other tools print them: a full name a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hamkit.errors import UserError
from hamkit.prove.rpm.evr import ARCHES, NAME, VERSION, Evr, Nevra
from hamkit.prove.rpm.findings import shown
from hamkit.prove.rpm.published.record import SOURCE_ARCHES, PublishedPackage

HINT = "give one package a line: rpm -qa --qf '%{NEVRA}\\n'"
LONGEST_LINE = 1024
LISTED_ARCHES = ARCHES | SOURCE_ARCHES | {"(none)"}
FULL = re.compile(rf"(?:(\d+):)?({NAME.pattern})-(?:(\d+|\(none\)):)?({VERSION.pattern})-({VERSION.pattern})")


def parse_list(text: str, where: str) -> Iterator[PublishedPackage]:
    """The packages of a list: ``name-[epoch:]version-release[.arch]``, also with the epoch in front, also
    as names of files. Raises UserError naming the first line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        word = line.strip()
        if word:
            nevra = parse_nevra(word) if len(word) <= LONGEST_LINE else None
            if nevra is None:
                raise UserError(f"{where}: line {number} is no package: {shown(word, 60)}", HINT)
            yield PublishedPackage(nevra)


def parse_nevra(word: str) -> Nevra | None:
    """A full name from its text, None when it is none; without an architecture (rpm before 4.9 prints
    none) that is empty."""
    text = word.removesuffix(".rpm")
    front, dot, arch = text.rpartition(".")
    if not dot or arch not in LISTED_ARCHES:
        front, arch = text, ""
    found = FULL.fullmatch(front)
    if found is None:
        return None
    first, name, second, version, release = found.groups()
    epoch = first or (second if second != "(none)" else None) or "0"
    if len(epoch) > 10:
        return None
    return Nevra(name, Evr(int(epoch), version, release), "" if arch == "(none)" else arch)
