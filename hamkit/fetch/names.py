"""URLs of kernel sources: told from other words, and by the name of the file that they lead to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

SCHEMES = ("http", "https", "file")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")


def is_url(given: str) -> bool:
    return URL.match(given) is not None


def source_name(urls: Sequence[str]) -> str:
    """The name of the one file that all these URLs lead to. Raises ValueError saying what is wrong."""
    names = [_name(url) for url in urls]
    if len(set(names)) != 1:
        raise ValueError(f"mirrors of one file end in one name, not in {', '.join(sorted(set(names)))}")
    return names[0]


def shown(url: str) -> str:
    """A URL as it may be printed: without a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _name(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme.lower() not in SCHEMES or (parts.scheme.lower() != "file" and not parts.hostname):
        raise ValueError(f"{shown(url)} is no URL of a file: {', '.join(SCHEMES)}")
    name = unquote(parts.path.rpartition("/")[2])
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{shown(url)} does not end in the name of a file")
    return name
