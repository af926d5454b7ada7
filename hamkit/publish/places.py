"""Names for this machine's folders, so that evidence can be published without naming them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from hamkit.files import cache_root, project_root

# Where an absolute path can begin: not inside another path ("/var/tmp" is not the
# temporary folder), but after an option letter ("-I/…") or a scheme ("file:///…").
_BEGIN = r"(?:(?<![\w./-])|(?<=^-[A-Za-z])|(?<=\s-[A-Za-z])|(?<=://))"
_END = r"(?![\w.-])"


class Places:
    """Replaces folders of this machine by words: the checkout reads ``.``, the cache ``<cache>``."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """``folders`` maps the word to the folder; a folder inside another one wins."""
        self._words: dict[str, str] = {}
        for word, folder in folders.items():
            for spelling in (folder.absolute(), folder.resolve()):
                if spelling != Path("/"):
                    self._words.setdefault(str(spelling), word)
        longest_first = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile(f"{_BEGIN}({'|'.join(map(re.escape, longest_first))}){_END}")

    @classmethod
    def of_this_machine(cls) -> Places:
        """The checkout, the cache, the user's home and the temporary folder."""
        return cls(
            {
                ".": project_root(),
                "<cache>": cache_root(),
                "<home>": Path.home(),
                "<tmp>": Path(tempfile.gettempdir()),
            }
        )

    def hide(self, text: str) -> str:
        """``text`` with every folder of this machine replaced by its word."""
        if not self._words:
            return text
        return self._pattern.sub(lambda found: self._words[found.group(1)], text)

    def plain(self, value: object) -> JsonValue:
        """``value`` as JSON types, with folders hidden: paths become text, tuples lists."""
        match value:
            case None | bool() | int() | float():
                return value
            case str() | os.PathLike():
                return self.hide(str(os.fspath(value)))
            case Mapping():
                return {self.hide(str(name)): self.plain(item) for name, item in value.items()}
            case list() | tuple():
                return [self.plain(item) for item in value]
            case _:
                return self.hide(str(value))
