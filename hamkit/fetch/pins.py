"""The lock file: the SHA-256 of every kernel source that was ever downloaded, by the name of its file.

It lies in the project, to be committed: everybody else's first download is then held against what the
first of all gave, which a note in one user's cache could not do. One name means one content, whichever
mirror it comes from. Its lines are those of ``sha256sum``, which can check them in the cache.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from filelock import FileLock

from hamkit.errors import UserError
from hamkit.fetch.names import NAME
from hamkit.files import cache_root, project_root, write_whole

VARIABLE = "HAM_SOURCES_LOCK"
LINE = re.compile(rf"([0-9a-f]{{64}})  ({NAME.pattern})")
HEAD = "# SHA-256 of kernel sources that were downloaded, noted on first use. Commit this file.\n"


def lock_file() -> Path:
    """``$HAM_SOURCES_LOCK``, else ``sources.lock`` in the project."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else project_root() / "sources.lock"


def pinned(name: str) -> str | None:
    """The digest that a file of this name must have. Raises UserError for a lock file with mistakes."""
    return _read(lock_file()).get(name)


def pin(name: str, digest: str) -> None:
    """Note a file's digest on first use. Raises UserError where the lock file cannot be written."""
    path = lock_file()
    locks = cache_root() / "locks"
    locks.mkdir(exist_ok=True)
    with FileLock(locks / "sources.lock"):
        known = _read(path) | {name: digest}
        lines = "".join(f"{known[each]}  {each}\n" for each in sorted(known))
        try:
            write_whole(path, HEAD + lines)
        except OSError as bad:
            raise UserError(
                f"cannot pin {name} in {path}: {bad.strerror}", f"name a file to write with {VARIABLE}"
            ) from bad


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as bad:
        raise UserError(f"cannot read {path}: {bad}", f"mend it, or name another with {VARIABLE}") from bad
    found: dict[str, str] = {}
    wrong = []
    for number, line in enumerate(lines, 1):
        match = LINE.fullmatch(line)
        if match and match[2] not in found:
            found[match[2]] = match[1]
        elif line.strip() and not line.startswith("#"):
            why = "named twice" if match else "not a digest, two blanks and a name"
            wrong.append(f"{path}:{number}: {why}: {line[:100]}")
    if wrong:
        raise UserError("\n".join(wrong), "mend or remove these lines")
    return found
