"""A kernel tree that is read but never written: what the series changes stays beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hamkit.errors import UserError
from hamkit.kernel.csource import ENCODING

CRLF = "\r\n"


class Overlay:
    """Texts of the files touched so far: ``original`` as the tree has them, ``current`` as patched.

    A new file's original is None.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.original: dict[str, str | None] = {}
        self.current: dict[str, str] = {}

    def read(self, path: str) -> str | None:
        """A file's text as patched so far; None when the tree has no such file."""
        if path not in self.current:
            try:
                # newline="": a carriage return is content
                with (self.root / path).open(encoding=ENCODING, newline="") as stream:
                    self.original[path] = self.current[path] = stream.read()
            except FileNotFoundError:
                return None
            except OSError as bad:
                raise UserError(f"cannot read {path} of the tree: {bad.strerror}", "mend the tree") from bad
        return self.current[path]

    def change(self, path: str, text: str) -> None:
        """A file's text from now on, lines ending as the tree's do (see ``unix``)."""
        crlf = ends_crlf(self.original[path] or "")
        self.current[path] = text.replace("\n", CRLF) if crlf else text

    def unix(self, path: str) -> str | None:
        """A file's text as rules and edits know it: where each line ends in CR LF, in LF alone."""
        text = self.read(path)
        return text.replace(CRLF, "\n") if text and ends_crlf(text) else text

    def create(self, path: str, text: str) -> None:
        """A new file. Raises UserError when the tree has it already."""
        if (self.root / path).exists():
            raise UserError(f"the tree has {path} already", "give a tree without a hot-add patch")
        self.original[path] = None
        self.current[path] = text

    def snapshot(self) -> dict[str, str]:
        return dict(self.current)


def ends_crlf(text: str) -> bool:
    """Whether each line ends in CR LF."""
    return 0 < text.count("\n") == text.count(CRLF)


def digest(text: str) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(text.encode(ENCODING)).hexdigest()
