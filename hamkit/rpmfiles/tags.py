"""Numbers and types of RPM tags: those that hamkit reads, in the two headers apart.

Source: rpm's include/rpm/rpmtag.h and docs/manual/format_v4.md and format_v6.md (rpm 6).
"""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """How an entry's data is stored."""

    CHAR = 1
    INT8 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    STRING = 6
    BIN = 7
    STRING_ARRAY = 8
    I18N_STRING = 9


NUMBERS = (Kind.CHAR, Kind.INT8, Kind.INT16, Kind.INT32, Kind.INT64)
STRINGS = (Kind.STRING, Kind.STRING_ARRAY, Kind.I18N_STRING)
WIDTH = {Kind.CHAR: 1, Kind.INT8: 1, Kind.INT16: 2, Kind.INT32: 4, Kind.INT64: 8, Kind.BIN: 1}


class Sig(IntEnum):
    """Tags of the signature header. From 1000 on they clash with the main header's."""

    REGION = 62
    DSA = 267
    RSA = 268
    SHA1 = 269
    LONGSIZE = 270
    LONGARCHIVESIZE = 271
    SHA256 = 273
    FILESIGNATURES = 274
    FILESIGNATURELENGTH = 275
    VERITYSIGNATURES = 276
    VERITYSIGNATUREALGO = 277
    OPENPGP = 278
    SHA3_256 = 279
    RESERVED = 999
    SIZE = 1000
    PGP = 1002
    MD5 = 1004
    GPG = 1005
    PAYLOADSIZE = 1007
    RESERVEDSPACE = 1008


class Tag(IntEnum):
    """Tags of the main header that hamkit reads."""

    REGION = 63
    I18NTABLE = 100
    NAME = 1000
    VERSION = 1001
    RELEASE = 1002
    EPOCH = 1003
    SUMMARY = 1004
    BUILDTIME = 1006
    BUILDHOST = 1007
    LICENSE = 1014
    GROUP = 1016
    SOURCE = 1018
    PATCH = 1019
    OS = 1021
    ARCH = 1022
    OLDFILENAMES = 1027
    FILESIZES = 1028
    FILEMODES = 1030
    FILERDEVS = 1033
    FILEMTIMES = 1034
    FILEDIGESTS = 1035
    FILELINKTOS = 1036
    FILEFLAGS = 1037
    FILEUSERNAME = 1039
    FILEGROUPNAME = 1040
    SOURCERPM = 1044
    PROVIDENAME = 1047
    REQUIREFLAGS = 1048
    REQUIRENAME = 1049
    REQUIREVERSION = 1050
    NOSOURCE = 1051
    NOPATCH = 1052
    CONFLICTFLAGS = 1053
    CONFLICTNAME = 1054
    CONFLICTVERSION = 1055
    EXCLUDEARCH = 1059
    EXCLUSIVEARCH = 1061
    RPMVERSION = 1064
    CHANGELOGTIME = 1080
    OBSOLETENAME = 1090
    COOKIE = 1094
    FILEDEVICES = 1095
    FILEINODES = 1096
    SOURCEPACKAGE = 1106
    PROVIDEFLAGS = 1112
    PROVIDEVERSION = 1113
    OBSOLETEFLAGS = 1114
    OBSOLETEVERSION = 1115
    DIRINDEXES = 1116
    BASENAMES = 1117
    DIRNAMES = 1118
    PAYLOADFORMAT = 1124
    PAYLOADCOMPRESSOR = 1125
    PAYLOADFLAGS = 1126
    LONGFILESIZES = 5008
    LONGSIZE = 5009
    FILECAPS = 5010
    FILEDIGESTALGO = 5011
    PAYLOADSHA256 = 5092
    PAYLOADSHA256ALGO = 5093
    PAYLOADSHA256ALT = 5097
    PAYLOADSIZE = 5112
    PAYLOADSIZEALT = 5113
    RPMFORMAT = 5114
    PAYLOADSHA512 = 5121
    PAYLOADSHA512ALT = 5122
    PAYLOADSHA3_256 = 5123
    PAYLOADSHA3_256ALT = 5124


SIG_KINDS: dict[int, Kind] = {
    Sig.DSA: Kind.BIN,
    Sig.RSA: Kind.BIN,
    Sig.SHA1: Kind.STRING,
    Sig.LONGSIZE: Kind.INT64,
    Sig.LONGARCHIVESIZE: Kind.INT64,
    Sig.SHA256: Kind.STRING,
    Sig.FILESIGNATURES: Kind.STRING_ARRAY,
    Sig.FILESIGNATURELENGTH: Kind.INT32,
    Sig.VERITYSIGNATURES: Kind.STRING_ARRAY,
    Sig.VERITYSIGNATUREALGO: Kind.INT32,
    Sig.OPENPGP: Kind.STRING_ARRAY,
    Sig.SHA3_256: Kind.STRING,
    Sig.RESERVED: Kind.BIN,
    Sig.SIZE: Kind.INT32,
    Sig.PGP: Kind.BIN,
    Sig.MD5: Kind.BIN,
    Sig.GPG: Kind.BIN,
    Sig.PAYLOADSIZE: Kind.INT32,
    Sig.RESERVEDSPACE: Kind.BIN,
}

_STRING = (
    Tag.NAME, Tag.VERSION, Tag.RELEASE, Tag.BUILDHOST, Tag.LICENSE, Tag.OS, Tag.ARCH, Tag.SOURCERPM,
    Tag.RPMVERSION, Tag.COOKIE, Tag.PAYLOADFORMAT, Tag.PAYLOADCOMPRESSOR, Tag.PAYLOADFLAGS,
    Tag.PAYLOADSHA512, Tag.PAYLOADSHA512ALT, Tag.PAYLOADSHA3_256, Tag.PAYLOADSHA3_256ALT,
)  # fmt: skip
_STRING_ARRAY = (
    Tag.I18NTABLE, Tag.SOURCE, Tag.PATCH, Tag.OLDFILENAMES, Tag.FILEDIGESTS, Tag.FILELINKTOS,
    Tag.FILEUSERNAME, Tag.FILEGROUPNAME, Tag.PROVIDENAME, Tag.REQUIRENAME, Tag.REQUIREVERSION,
    Tag.CONFLICTNAME, Tag.CONFLICTVERSION, Tag.EXCLUDEARCH, Tag.EXCLUSIVEARCH, Tag.OBSOLETENAME,
    Tag.PROVIDEVERSION, Tag.OBSOLETEVERSION, Tag.BASENAMES, Tag.DIRNAMES, Tag.FILECAPS,
    Tag.PAYLOADSHA256, Tag.PAYLOADSHA256ALT,
)  # fmt: skip
_INT32 = (
    Tag.EPOCH, Tag.BUILDTIME, Tag.FILESIZES, Tag.FILEMTIMES, Tag.FILEFLAGS, Tag.REQUIREFLAGS, Tag.NOSOURCE,
    Tag.NOPATCH, Tag.CHANGELOGTIME, Tag.FILEDEVICES, Tag.FILEINODES, Tag.SOURCEPACKAGE, Tag.DIRINDEXES,
    Tag.FILEDIGESTALGO, Tag.PAYLOADSHA256ALGO, Tag.RPMFORMAT, Tag.CONFLICTFLAGS, Tag.PROVIDEFLAGS,
    Tag.OBSOLETEFLAGS,
)  # fmt: skip

TAG_KINDS: dict[int, Kind] = {
    **dict.fromkeys(_STRING, Kind.STRING),
    **dict.fromkeys(_STRING_ARRAY, Kind.STRING_ARRAY),
    **dict.fromkeys(_INT32, Kind.INT32),
    **dict.fromkeys((Tag.SUMMARY, Tag.GROUP), Kind.I18N_STRING),
    **dict.fromkeys((Tag.FILEMODES, Tag.FILERDEVS), Kind.INT16),
    **dict.fromkeys((Tag.LONGFILESIZES, Tag.LONGSIZE, Tag.PAYLOADSIZE, Tag.PAYLOADSIZEALT), Kind.INT64),
}

SINGLE = frozenset((*_STRING, Tag.EPOCH, Tag.BUILDTIME, Tag.SOURCEPACKAGE, Tag.FILEDIGESTALGO, Tag.RPMFORMAT,
                    Tag.PAYLOADSHA256ALGO, Tag.LONGSIZE, Tag.PAYLOADSIZE, Tag.PAYLOADSIZEALT))  # fmt: skip

DIGEST_NAMES = {
    1: "md5",
    2: "sha1",
    8: "sha256",
    9: "sha384",
    10: "sha512",
    11: "sha224",
    12: "sha3_256",
    14: "sha3_512",
}
"""File digest algorithms by OpenPGP number, as hashlib calls them."""


def tag_name(number: int, signature: bool = False) -> str:
    """A tag as rpm's sources call it, with its number: ``FILESIZES (1028)``."""
    try:
        name = (Sig if signature else Tag)(number).name
    except ValueError:
        return f"tag {number}"
    return f"{name} ({number})"
