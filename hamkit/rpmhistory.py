"""What rpm learnt when: features, payloads, digests and constructs of the spec file, by version.

Source: rpm's own tables and history for the years, and what real rpm 4.0.2, 4.0.3, 4.4.2.3,
4.16.1.3 and 4.18.0 did with each. A distribution states its rpm's version; what follows from it
is looked up here, unless the distribution states otherwise (a vendor may port things back).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Version = tuple[int, ...]
Compressor = Literal["none", "gzip", "bzip2", "lzma", "xz", "zstd"]
FileDigest = Literal["md5", "sha1", "sha256", "sha384", "sha512"]


@dataclass(frozen=True)
class Feature:
    """An rpmlib() feature: the first rpm that has it, and the version it is provided with."""

    since: Version
    provided: str


FEATURES = {
    "VersionedDependencies": Feature((3, 0, 3), "3.0.3-1"),
    "CompressedFileNames": Feature((3, 0, 4), "3.0.4-1"),
    "PayloadIsBzip2": Feature((3, 0, 5), "3.0.5-1"),
    "PayloadFilesHavePrefix": Feature((4, 0), "4.0-1"),
    "ExplicitPackageProvide": Feature((4, 0), "4.0-1"),
    "HeaderLoadSortsTags": Feature((4, 0, 1), "4.0.1-1"),
    "ScriptletInterpreterArgs": Feature((4, 0, 3), "4.0.3-1"),
    "PartialHardlinkSets": Feature((4, 0, 4), "4.0.4-1"),
    "ConcurrentAccess": Feature((4, 1), "4.1-1"),
    "BuiltinLuaScripts": Feature((4, 4), "4.2.2-1"),
    "FileDigests": Feature((4, 6), "4.6.0-1"),
    "PayloadIsLzma": Feature((4, 6), "4.4.2-1"),
    "FileCaps": Feature((4, 6, 1), "4.6.1-1"),
    "PayloadIsXz": Feature((4, 8), "5.2-1"),
    "ScriptletExpansion": Feature((4, 9), "4.9.0-1"),
    "TildeInVersions": Feature((4, 10), "4.10.0-1"),
    "LargeFiles": Feature((4, 12), "4.12.0-1"),
    "RichDependencies": Feature((4, 12), "4.12.0-1"),
    "PayloadIsZstd": Feature((4, 14), "5.4.18-1"),
    "CaretInVersions": Feature((4, 15), "4.15.0-1"),
    "DynamicBuildRequires": Feature((4, 15), "4.15.0-1"),
}
"""The version that a feature is provided with is the same in every rpm that has it."""

COMPRESSORS: dict[Compressor, Version] = {
    "gzip": (0,),
    "bzip2": (3, 0, 5),
    "lzma": (4, 6),
    "xz": (4, 8),
    "zstd": (4, 14),
}
DIGESTS: dict[FileDigest, Version] = {
    "md5": (0,),
    "sha1": (4, 6),
    "sha256": (4, 6),
    "sha384": (4, 6),
    "sha512": (4, 6),
}


@dataclass(frozen=True)
class Construct:
    """Something in a spec file that rpm parses from ``since`` on and before ``until`` (None: to this day)."""

    name: str
    pattern: re.Pattern[str]
    since: Version = (0,)
    until: Version | None = None

    def known(self, version: Version) -> bool:
        return version >= self.since and (self.until is None or version < self.until)


def _line(expression: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{expression}", re.MULTILINE)


CONSTRUCTS = (
    Construct("Copyright: or Serial:", _line(r"(?i:copyright|serial):"), until=(4, 6)),
    Construct("%patchN (write %patch -P N)", _line(r"%patch\d"), until=(4, 20)),
    Construct("%patch -PN without a blank", _line(r"%patch\s.*-P\d"), since=(4, 6)),
    Construct("weak dependencies", _line(r"(?i:recommends|suggests|supplements|enhances):"), since=(4, 12)),
    Construct("rich dependencies", _line(r"(?i:(build)?requires|conflicts):.*\("
                    r"[^()]*\s(or|and|if|unless|with|without)\s"), since=(4, 13)),
    Construct("BugURL: or VCS:", _line(r"(?i:bugurl|vcs):"), since=(4, 8)),
    Construct("%bcond_with", _line(r"%bcond_with(out)?\b"), since=(4, 4)),
    Construct("%bcond", _line(r"%bcond\s"), since=(4, 17)),
    Construct("%dnl", _line(r"%dnl\b"), since=(4, 15)),
    Construct("%autosetup or %autopatch", _line(r"%(autosetup|autopatch)\b"), since=(4, 11)),
    Construct("%sourcelist or %patchlist", _line(r"%(sourcelist|patchlist)\b"), since=(4, 15)),
    Construct("%check", _line(r"%check\b"), since=(4, 2)),
    Construct("%pretrans or %posttrans", _line(r"%(pretrans|posttrans)\b"), since=(4, 4)),
    Construct("file triggers", _line(r"%(trans)?filetrigger(in|un|postun)\b"), since=(4, 13)),
    Construct("%license", _line(r"%license\b"), since=(4, 11)),
    Construct("%caps", _line(r"%caps\("), since=(4, 7)),
    Construct("%exclude", _line(r"%exclude\b"), since=(4, 0, 3)),
    Construct("%elif", _line(r"%elif\b"), since=(4, 15)),
    Construct("%{lua:}", re.compile(r"%\{lua:"), since=(4, 4)),
    Construct("%define inside a conditional macro", re.compile(r"%\{!\?\w+:\s*%define\b"), since=(4, 4)),
    Construct("parametric macros", _line(r"%(define|global)\s+\w+\("), since=(4, 0, 3)),
    Construct("macro names of less than 3 characters", _line(r"%(define|global)\s+\w{1,2}\s"), since=(4, 4)),
)  # fmt: skip
"""``since`` is where a construct is known to work; between the versions run it is read off rpm's history."""

NESTED_IF = Construct(
    "an %if with a macro in its condition inside another conditional",
    _line(r'%if\s(?:[^"%\n]|"[^"\n]*")*%'),
    since=(4, 2, 1),
)
"""Earlier rpms take the inner condition in a false branch as well, unexpanded: "parse error in expression",
and go on with half a spec. Seen with 4.0.2 and 4.0.3; mended in 4.2.1 (CHANGES: "nested %if handling")."""


def version_tuple(text: str) -> Version:
    """``4.0.2`` as (4, 0, 2)."""
    return tuple(int(part) for part in text.split("."))


def features(version: Version) -> tuple[str, ...]:
    """The rpmlib() features of an rpm."""
    return tuple(name for name, feature in FEATURES.items() if version >= feature.since)


def compressors(version: Version) -> tuple[Compressor, ...]:
    """The payload compressors of an rpm; it reads a payload that is not compressed as well."""
    return tuple(name for name, since in COMPRESSORS.items() if version >= since)


def digests(version: Version) -> tuple[FileDigest, ...]:
    """The file digests of an rpm."""
    return tuple(name for name, since in DIGESTS.items() if version >= since)


def constructs(version: Version) -> tuple[str, ...]:
    """Those constructs of the table that an rpm parses."""
    return tuple(each.name for each in (*CONSTRUCTS, NESTED_IF) if each.known(version))
