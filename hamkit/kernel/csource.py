"""C sources of kernel trees read as text: comments blanked, definitions found with their line.

No preprocessor and no parser: what is asked of 2.4's sources (does a structure have a field, how does
a macro read, what is in a function's body) is answered by the text, in every branch of its ``#if``.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ENCODING = "latin-1"  # what 2.4's sources are in; never fails to decode
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\[^\n\']+|[^\'\\\n])\'', re.DOTALL)
CONTINUED = re.compile(r"[ \t]*\\\n[ \t]*")
OPEN, CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Found:
    """A piece of a source: where it begins (``file`` from the tree's root, ``line`` from 1) and its text."""

    file: str
    line: int
    text: str

    def has(self, pattern: str) -> bool:
        return re.search(pattern, self.text, re.MULTILINE) is not None


class Source:
    """One file. ``code`` is its text with comments blanked, so that offsets and lines stay."""

    def __init__(self, name: str, raw: str) -> None:
        self.name = name
        self.code = NOT_CODE.sub(_blank, raw)

    def search(self, pattern: str) -> Found | None:
        """The first match of a pattern; ``^`` and ``$`` match at lines. The text is the whole match."""
        match = re.search(pattern, self.code, re.MULTILINE)
        return self._found(match.start(), match.group()) if match else None

    def all(self, pattern: str) -> tuple[Found, ...]:
        found = re.finditer(pattern, self.code, re.MULTILINE)
        return tuple(self._found(match.start(), match.group()) for match in found)

    def struct(self, name: str) -> Found | None:
        """A structure's body with its braces; ``name`` is its tag or the name of its typedef."""
        for match in re.finditer(r"\bstruct\b\s*(\w*)\s*[^;{}()=]{0,40}(?=\{)", self.code):
            body = self._balanced(match.end())
            after = re.match(r"[^;{}]*;", self.code[match.end() + len(body) :])
            names = {match[1], *re.findall(r"\w+", after.group() if after else "")}
            if name in names:
                return self._found(match.start(), body)
        return None

    def function(self, name: str) -> Found | None:
        """A function's definition: head and body, from the line that names it."""
        for match in re.finditer(rf"^[A-Za-z_][^;{{}}#()]*\b{name}\s*(?=\()", self.code, re.MULTILINE):
            arguments = self._balanced(match.end())
            rest = re.compile(r"\s*(?=\{)").match(self.code, match.end() + len(arguments))
            if rest:
                head = self.code[match.start() : rest.end()]
                return self._found(match.end() - 1, head + self._balanced(rest.end()))
        return None

    def macro(self, name: str) -> Found | None:
        """A macro's definition, its continued lines joined: ``(page) expression``."""
        match = re.search(
            rf"^[ \t]*#[ \t]*define[ \t]+{name}\b((?:[^\\\n]|\\.|\\\n)*)", self.code, re.MULTILINE
        )
        return self._found(match.start(), CONTINUED.sub(" ", match[1]).strip()) if match else None

    def macros(self, name: str) -> tuple[Found, ...]:
        """Every definition of a macro, in all branches."""
        pattern = rf"^[ \t]*#[ \t]*define[ \t]+{name}\b((?:[^\\\n]|\\.|\\\n)*)"
        found = re.finditer(pattern, self.code, re.MULTILINE)
        return tuple(self._found(m.start(), CONTINUED.sub(" ", m[1]).strip()) for m in found)

    def _found(self, offset: int, text: str) -> Found:
        return Found(self.name, bisect.bisect_right(self._starts, offset), text)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.code))]

    def _balanced(self, start: int) -> str:
        """The text from an opening bracket to the one that closes it (or to the end of the file)."""
        depth = 0
        for match in re.compile(r"[][(){}]").finditer(self.code, start):
            depth += 1 if match.group() in OPEN else -1
            if depth == 0:
                return self.code[start : match.end()]
        return self.code[start:]


class Tree:
    """A kernel tree: its files as sources, each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = lru_cache(maxsize=None)(self._source)

    def has(self, name: str) -> bool:
        return (self.root / name).is_file()

    def text(self, name: str) -> str:
        """A file's text; empty when there is no such file."""
        path = self.root / name
        return path.read_text(encoding=ENCODING) if path.is_file() else ""

    def _source(self, name: str) -> Source:
        return Source(name, self.text(name))


def _blank(match: re.Match[str]) -> str:
    """A comment as blanks and newlines; strings and characters stay as they are."""
    text = match.group()
    return text if text[0] in "\"'" else re.sub(r"[^\n]", " ", text)
