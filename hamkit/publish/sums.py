"""SHA256SUMS: the digests of a folder's files, as ``sha256sum -c`` reads them."""

from __future__ import annotations

import re
from pathlib import Path

from hamkit.errors import Failure
from hamkit.files import sha256_file, write_whole

SUMS_NAME = "SHA256SUMS"
SIGNATURE_NAME = "SHA256SUMS.asc"
_LINE = re.compile(r"(?P<escaped>\\?)(?P<digest>[0-9a-f]{64}) [ *](?P<name>.+)")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def write_sums(folder: Path) -> Path:
    """Write ``folder``/SHA256SUMS over every other file below ``folder``, sorted by name."""
    lines = [_line(name, sha256_file(folder / name)) for name in _names(folder)]
    return write_whole(folder / SUMS_NAME, "".join(lines).encode(errors="surrogateescape"))


def verify_sums(folder: Path) -> int:
    """Hold a folder against its SHA256SUMS and return how many files it lists.

    Raises Failure naming every file that is missing, changed or not listed.
    """
    listed = _read(folder / SUMS_NAME)
    present = set(_names(folder))
    wrong = [f"{name} is missing" for name in sorted(listed.keys() - present)]
    wrong += [
        f"{name} has changed"
        for name in sorted(listed.keys() & present)
        if sha256_file(folder / name) != listed[name]
    ]
    wrong += [f"{name} is not listed" for name in sorted(present - listed.keys())]
    if wrong:
        raise Failure(f"{folder.name} is not what {SUMS_NAME} says: {'; '.join(wrong)}", "make it anew")
    return len(listed)


def _names(folder: Path) -> list[str]:
    files = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in files if name not in (SUMS_NAME, SIGNATURE_NAME))


def _line(name: str, digest: str) -> str:
    """One line; a name with a backslash or a line break is escaped and marked as coreutils does."""
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in name)
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n"


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_bytes().decode(errors="surrogateescape")
    except OSError as bad:
        raise Failure(f"cannot read {path}: {bad.strerror}") from bad
    listed: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise Failure(f"{path.name}: line {number} is not a digest and a name", "make it anew")
        name = found["name"]
        if found["escaped"]:
            name = re.sub(r"\\[\\nr]", lambda pair: _UNESCAPES[pair.group()], name)
        listed[name] = found["digest"]
    return listed
