"""The metadata of a repository, as createrepo writes it: repomd.xml, and the primary.xml that it names.

Nothing is trusted: documents are parsed as a stream without document types or entities, what is not
verified against repomd.xml is not parsed, and every size has a bound. Source of the format: createrepo_c's
src/xml_dump*.c and its XML schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast
from xml.parsers import expat

from hamkit.errors import UserError
from hamkit.files import digest_file
from hamkit.prove.rpm.dependency import EQUAL, GREATER, LESS, Dependency
from hamkit.prove.rpm.evr import Evr, Nevra
from hamkit.prove.rpm.findings import shown
from hamkit.prove.rpm.published.record import PublishedPackage
from hamkit.rpmfiles import BadPackage
from hamkit.rpmfiles.unpack import Source, uncompressed

REPOMD = "repodata/repomd.xml"
HINT = "make the repository's metadata again: createrepo_c DIRECTORY"
MAX_REPOMD = 1 << 20
MAX_PRIMARY = 256 << 20  # bytes compressed; Fedora's largest has 20 MiB
MAX_OPEN = 1 << 30  # bytes uncompressed, and never more than
MAX_RATIO = 64  # times the compressed size
ALWAYS_OPEN = 8 << 20
CHUNK = 1 << 16
MAX_PIECE = 1 << 20  # bytes that one tag or text may have
MAX_DEPTH = 16
MAX_TEXT = 4096
COMPRESSORS = {".gz": "gzip", ".xz": "xz", ".zst": "zstd", ".bz2": "bzip2", ".xml": "none"}
CHECKSUMS = {"sha": "sha1"} | {n: n for n in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")}
FLAGS = {"LT": LESS, "LE": LESS | EQUAL, "EQ": EQUAL, "GE": GREATER | EQUAL, "GT": GREATER}


Fetch = Callable[[str, int], Path]
"""Gives a file of the repository by its path in it, of at most so many bytes, as a local file."""


@dataclass(frozen=True)
class Primary:
    """What repomd.xml says of primary.xml. ``algorithm`` is hashlib's name."""

    location: str
    algorithm: str
    checksum: str
    open_size: int | None


@dataclass(frozen=True)
class Element:
    """One element that began (``text`` None) or ended; ``depth`` of the outermost is 1."""

    name: str
    depth: int
    attributes: Mapping[str, str]
    text: str | None = None


class _Elements:
    """Begins and ends of a document's elements, by local name."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._stack: list[tuple[str, Mapping[str, str]]] = []
        self._text: list[str] = []
        self._length = self._fed = 0
        self._seen: list[Element] = []
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, source: Source) -> Iterator[Element]:
        """Raises UserError when the document is not well-formed or has what no repository's has."""
        while data := source.read(CHUNK):
            yield from self._feed(data, last=False)
        yield from self._feed(b"", last=True)

    def _feed(self, data: bytes, last: bool) -> Iterator[Element]:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as bad:
            raise self.broken(f"is no whole XML: {expat.ErrorString(bad.code)}, line {bad.lineno}") from bad
        self._fed += len(data)
        if self._fed - max(self._parser.CurrentByteIndex, 0) > MAX_PIECE:
            raise self.broken(f"has a tag or text of more than {MAX_PIECE} bytes")
        seen, self._seen = self._seen, []
        yield from seen

    def broken(self, why: str) -> UserError:
        return UserError(f"{self._what} {why}", HINT)

    def _doctype(self, *_: object) -> None:
        raise self.broken("declares a document type, which no repository's metadata has")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise self.broken(f"is nested deeper than {MAX_DEPTH}")
        self._text, self._length = [], 0
        element = Element(_local(name), len(self._stack) + 1, {_local(k): v for k, v in attributes.items()})
        self._stack.append((element.name, element.attributes))
        self._seen.append(element)

    def _end(self, _: str) -> None:
        name, attributes = self._stack.pop()
        text, self._text = "".join(self._text).strip(), []
        self._seen.append(Element(name, len(self._stack) + 1, attributes, text))

    def _characters(self, data: str) -> None:
        """What is longer than any value is cut: it is a description."""
        self._length += len(data)
        if self._length <= MAX_TEXT:
            self._text.append(data)


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def read_repodata(fetch: Fetch) -> Iterator[PublishedPackage]:
    """Every package of a repository. Raises UserError for what is broken, and what ``fetch`` raises."""
    primary = _find_primary(fetch(REPOMD, MAX_REPOMD))
    path = fetch(primary.location, MAX_PRIMARY)
    name = PurePosixPath(primary.location).name
    if digest_file(path, primary.algorithm) != primary.checksum:
        raise UserError(f"{name} does not match its checksum in repomd.xml ({primary.algorithm})", HINT)
    size = path.stat().st_size
    limit = min(max(ALWAYS_OPEN, size * MAX_RATIO), MAX_OPEN)
    if primary.open_size is not None:
        if primary.open_size > limit:
            raise UserError(f"{size} bytes of {name} claim to unpack to {primary.open_size}", HINT)
        limit = primary.open_size
    try:
        with (
            path.open("rb", buffering=0) as raw,
            uncompressed(cast(BinaryIO, raw), _compressor(name), limit) as opened,
        ):
            yield from _packages(name, opened)
    except BadPackage as bad:
        raise UserError(f"{name}: {bad.message}", HINT) from bad


def _compressor(name: str) -> str:
    found = COMPRESSORS.get(PurePosixPath(name).suffix)
    if found is None:
        known = ", ".join(COMPRESSORS)
        raise UserError(f"{shown(name, 60)} is compressed in a way that is not known", f"one of: {known}")
    return found


def _find_primary(path: Path) -> Primary:
    elements = _Elements("repomd.xml")
    found: dict[str, str] | None = None
    with path.open("rb") as stream:
        for element in elements.read(stream):
            if element.depth == 1 and element.name != "repomd":
                raise elements.broken(f"is no repository's metadata, but {shown(element.name, 40)}")
            if element.name == "data" and element.depth == 2:
                if element.text is not None and found is not None:
                    return _primary(found, elements)
                found = {} if element.attributes.get("type") == "primary" else None
            elif found is not None and element.text is not None:
                found[element.name] = element.text
                found |= {f"{element.name}.{key}": value for key, value in element.attributes.items()}
    raise elements.broken("names no primary metadata")


def _primary(found: Mapping[str, str], elements: _Elements) -> Primary:
    location = _inside(found.get("location.href", ""), elements)
    algorithm = CHECKSUMS.get(found.get("checksum.type", ""))
    checksum = found.get("checksum", "").lower()
    if algorithm is None or not re.fullmatch(r"[0-9a-f]+", checksum):
        raise elements.broken("has no checksum of primary.xml that can be verified")
    size = found.get("open-size", "")
    if size and not re.fullmatch(r"\d{1,15}", size):
        raise elements.broken("has a size that is no number")
    return Primary(location, algorithm, checksum, int(size) if size else None)


def _inside(href: str, elements: _Elements) -> str:
    """A path inside the repository, as it stands. Raises UserError for any other."""
    path = PurePosixPath(href)
    if not href.isprintable() or "://" in href or path.is_absolute() or ".." in path.parts or not path.parts:
        raise elements.broken(f"names a file outside of the repository: {shown(href, 60) or 'nothing'}")
    return href


def _packages(name: str, source: Source) -> Iterator[PublishedPackage]:
    elements = _Elements(name)
    current: _Package | None = None
    for element in elements.read(source):
        if element.depth == 1 and element.name != "metadata":
            raise elements.broken(f"is no list of packages, but {shown(element.name, 40)}")
        if element.name == "package" and element.depth == 2:
            if element.text is None:
                current = _Package()
            elif current is not None:
                yield current.whole(elements)
                current = None
        elif current is not None:
            current.take(element, elements)


class _Package:
    """One package while its elements come in."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._version: Mapping[str, str] = {}
        self._checksum = ("", "")
        self._lists: dict[str, list[Dependency]] = {"provides": [], "obsoletes": []}
        self._within = ""

    def take(self, element: Element, elements: _Elements) -> None:
        name, attributes = element.name, element.attributes
        if element.text is None:
            if name in self._lists:
                self._within = name
            elif name == "entry" and self._within:
                self._lists[self._within].append(_dependency(attributes))
        elif name in self._lists:
            self._within = ""
        elif element.depth == 3:
            self._field(name, element.text, attributes, elements)

    def _field(self, name: str, text: str, attributes: Mapping[str, str], elements: _Elements) -> None:
        if name in ("name", "arch"):
            self._texts[name] = text
        elif name == "version":
            self._version = attributes
        elif name == "checksum":
            self._checksum = CHECKSUMS.get(attributes.get("type", ""), ""), text.lower()
        elif name == "location":
            _inside(attributes.get("href", ""), elements)

    def whole(self, elements: _Elements) -> PublishedPackage:
        name, arch, given = self._texts.get("name", ""), self._texts.get("arch", ""), self._version
        epoch = given.get("epoch") or "0"
        if not (name and arch and given.get("ver") and given.get("rel") and re.fullmatch(r"\d{1,10}", epoch)):
            raise elements.broken(f"has a package without a full name: {shown(name, 40) or 'nameless'}")
        nevra = Nevra(name, Evr(int(epoch), given["ver"], given["rel"]), arch)
        algorithm, digest = self._checksum
        digests = {algorithm: digest} if algorithm else {}
        lists = {key: tuple(found) for key, found in self._lists.items()}
        return PublishedPackage(nevra, digests, "", lists["provides"], lists["obsoletes"])


def _dependency(attributes: Mapping[str, str]) -> Dependency:
    epoch, version, release = (attributes.get(key, "") for key in ("epoch", "ver", "rel"))
    text = f"{epoch}:{version}" if epoch and version else version
    return Dependency(
        attributes.get("name", ""),
        FLAGS.get(attributes.get("flags", ""), 0),
        f"{text}-{release}" if release else text,
    )
