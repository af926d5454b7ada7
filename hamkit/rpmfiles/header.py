"""The lead and the two headers of an RPM, bounds-checked before anything is allocated.

Layout (rpm's docs/manual/format_lead.md and format_header.md): a lead of 96 bytes, then a
header structure twice: 8 bytes of magic, number of entries, bytes of data (big-endian
32 bit each), 16 bytes an entry (tag, type, offset, count), the data. The first entry is
a region whose 16-byte trailer ends the data, so that no byte is outside it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from hamkit.errors import Failure
from hamkit.rpmfiles.tags import NUMBERS, STRINGS, WIDTH, Kind, tag_name

LEAD_SIZE = 96
LEAD_MAGIC = bytes.fromhex("edabeedb")
HEADER_MAGIC = bytes.fromhex("8eade80100000000")
HEADERSIG = 5
INTRO = 16
ENTRY = 16
MAX_ENTRIES = 1024
MAX_DATA = 16 << 20
MAX_STRINGS = 300_000
REGION_KIND, REGION_COUNT = Kind.BIN, 16
FORMATS = {Kind.CHAR: "B", Kind.INT8: "B", Kind.INT16: "H", Kind.INT32: "I", Kind.INT64: "Q"}


class BadPackage(Failure):
    """The file breaks the package format; ``rule`` is the id of the check that saw it."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message, "the package is damaged or hostile: build or fetch it again")
        self.rule = rule


@dataclass(frozen=True)
class Lead:
    """The first 96 bytes: only magic, type and signature type still mean anything to rpm."""

    major: int
    minor: int
    type: int
    archnum: int
    name: bytes
    osnum: int
    signature_type: int
    reserved: bytes


@dataclass(frozen=True)
class Entry:
    """One index entry; ``end`` is the offset behind its data."""

    tag: int
    kind: Kind
    offset: int
    count: int
    end: int = 0


class Header:
    """A header whose structure holds. ``raw`` is all of it as in the file, for digests."""

    def __init__(self, raw: bytes, entries: Mapping[int, Entry], signature: bool) -> None:
        self.raw = raw
        self.entries = entries
        self.signature = signature
        self._start = INTRO + ENTRY * (len(entries) + 1)

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    @property
    def rule(self) -> str:
        return "signature.types" if self.signature else "header.types"

    def strings(self, tag: int) -> tuple[str, ...]:
        """A text tag's values, empty when it is absent; bytes that are no UTF-8 are escaped."""
        entry = self._typed(tag, STRINGS)
        if entry is None:
            return ()
        data = self.raw[self._start + entry.offset : self._start + entry.end - 1]
        return tuple(part.decode("utf-8", "surrogateescape") for part in data.split(b"\0"))

    def string(self, tag: int) -> str:
        """A text tag's first value, empty when it is absent."""
        return next(iter(self.strings(tag)), "")

    def integers(self, tag: int) -> tuple[int, ...]:
        """A numeric tag's values (unsigned), empty when it is absent."""
        entry = self._typed(tag, NUMBERS)
        if entry is None:
            return ()
        return struct.unpack_from(
            f">{entry.count}{FORMATS[entry.kind]}", self.raw, self._start + entry.offset
        )

    def integer(self, tag: int) -> int | None:
        """A numeric tag's first value, None when it is absent."""
        return next(iter(self.integers(tag)), None)

    def blob(self, tag: int) -> bytes:
        """A binary tag's bytes, empty when it is absent."""
        entry = self._typed(tag, (Kind.BIN,))
        return b"" if entry is None else self.raw[self._start + entry.offset : self._start + entry.end]

    def digest(self, algorithm: str) -> str:
        """Hex digest of the whole header, by hashlib's name."""
        return hashlib.new(algorithm, self.raw, usedforsecurity=False).hexdigest()

    def _typed(self, tag: int, kinds: tuple[Kind, ...]) -> Entry | None:
        entry = self.entries.get(tag)
        if entry is not None and entry.kind not in kinds:
            raise BadPackage(self.rule, f"{tag_name(tag, self.signature)} has the type {entry.kind.name}")
        return entry


def read_lead(stream: BinaryIO) -> Lead:
    """The lead at the stream's place. Raises BadPackage when it is no lead of an RPM."""
    raw = stream.read(LEAD_SIZE)
    if raw[:4] != LEAD_MAGIC:
        raise BadPackage("lead.magic", f"not an RPM package: it begins with {raw[:4].hex() or 'nothing'}")
    if len(raw) < LEAD_SIZE:
        raise BadPackage("lead.magic", f"the file ends inside the lead, after {len(raw)} of 96 bytes")
    lead = Lead(*struct.unpack(">4xBBHH66sHH16s", raw))
    if lead.signature_type != HEADERSIG:
        raise BadPackage("lead.magic", f"the lead has signature type {lead.signature_type}, not {HEADERSIG}")
    return lead


def read_header(stream: BinaryIO, remaining: int, region: int) -> Header:
    """The header at the stream's place; ``remaining`` bytes are left in the file.

    ``region`` is the tag of its first entry (62 signature, 63 main header). Raises
    BadPackage before reading when the sizes it claims are absurd.
    """
    signature = region == 62
    where = "signature" if signature else "header"
    rule = f"{where}.layout"
    intro = stream.read(INTRO)
    if len(intro) < INTRO:
        raise BadPackage(rule, f"the file ends where the {where} should begin")
    if intro[:8] != HEADER_MAGIC:
        raise BadPackage(rule, f"the {where} has the magic {intro[:8].hex()}, not {HEADER_MAGIC.hex()}")
    count, length = struct.unpack(">8xII", intro)
    if not 1 <= count <= MAX_ENTRIES or not REGION_COUNT <= length <= MAX_DATA:
        raise BadPackage(rule, f"the {where} claims {count} entries and {length} bytes of data")
    size = count * ENTRY + length
    if size > remaining - INTRO:
        raise BadPackage(rule, f"the {where} claims {size} bytes, the file has {remaining - INTRO} left")
    body = stream.read(size)
    if len(body) != size:
        raise BadPackage(rule, f"the file ends inside the {where}")
    index, data = body[: count * ENTRY], memoryview(body)[count * ENTRY :]
    _check_region(rule, index, data, region)
    return Header(intro + body, _read_entries(rule, index, bytes(data)), signature)


def _check_region(rule: str, index: bytes, data: memoryview, region: int) -> None:
    tag, kind, offset, count = struct.unpack_from(">IIiI", index)
    if (tag, kind, count) != (region, REGION_KIND, REGION_COUNT) or offset != len(data) - REGION_COUNT:
        raise BadPackage(rule, f"the first entry is no region over the whole header (tag {tag})")
    trailer = struct.unpack_from(">IIiI", data, offset)
    if trailer != (region, REGION_KIND, -len(index), REGION_COUNT):
        raise BadPackage(rule, "the region's trailer does not match its header")


def _read_entries(rule: str, index: bytes, data: bytes) -> dict[int, Entry]:
    """Entries by tag: ascending, typed, without overlap, and with no byte of data unaccounted for."""
    entries: dict[int, Entry] = {}
    limit, end, last, strings = len(data) - REGION_COUNT, 0, 0, 0
    for tag, number, offset, count in struct.iter_unpack(">IIII", index[ENTRY:]):
        if tag <= last:
            raise BadPackage(rule, f"tag {tag} comes after tag {last}: doubled or out of order")
        if not 1 <= number <= Kind.I18N_STRING:
            raise BadPackage(rule, f"tag {tag} has the unknown type {number}")
        if not 1 <= count <= limit or not end <= offset < limit:
            raise BadPackage(rule, f"tag {tag} claims {count} values at offset {offset} of {limit}")
        entry = Entry(tag, Kind(number), offset, count)
        strings += count if entry.kind in STRINGS else 0
        if strings > MAX_STRINGS:
            raise BadPackage(rule, f"more than {MAX_STRINGS} strings")
        _check_gap(rule, entry, data[end:offset])
        end = _end_of(entry, data)
        if not offset < end <= limit:
            raise BadPackage(rule, f"tag {tag}: its {count} values reach beyond the data")
        entries[tag] = replace(entry, end=end)
        last = tag
    if end != limit:
        raise BadPackage(rule, f"{limit - end} bytes of data belong to no entry")
    return entries


def _check_gap(rule: str, entry: Entry, gap: bytes) -> None:
    width = WIDTH.get(entry.kind, 1)
    if entry.offset % width or len(gap) >= width or any(gap):
        raise BadPackage(rule, f"tag {entry.tag}: its data is not aligned, or stray bytes precede it")
    if entry.kind == Kind.STRING and entry.count != 1:
        raise BadPackage(rule, f"tag {entry.tag}: a single string with {entry.count} values")


def _end_of(entry: Entry, data: bytes) -> int:
    """Offset behind the entry's data; 0 when a string has no end."""
    if entry.kind not in STRINGS:
        return entry.offset + entry.count * WIDTH[entry.kind]
    end = entry.offset
    for _ in range(entry.count):
        end = data.find(b"\0", end) + 1
        if end == 0:
            break
    return end
