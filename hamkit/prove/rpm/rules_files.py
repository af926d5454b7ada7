"""Rules on the files: header against payload, names, modes, owners."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from hamkit.prove.rpm.findings import shown
from hamkit.prove.rpm.scan import Scan, SeenFile
from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of
from hamkit.rpmfiles.package import HeaderFile

ROOT = "root"
BUILD_IDS = "/usr/lib/.build-id"
"""Where rpmbuild itself puts links to programs by build id; every package with one owns the folder."""
FORBIDDEN_MODES = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | stat.S_IWOTH
MAX_NAME = 255


def _list(subject: Subject) -> Outcome:
    """Each file that is not %ghost once in the payload, and nothing else."""
    listed = Counter(f.name for f in subject.package.files if f.in_payload)
    found = Counter(seen.file.name for seen in subject.payload.members)
    wrong = [f"{name} is listed {n} times" for name, n in listed.items() if n > 1]
    wrong += [f"{name} is not in the payload" for name in listed - found]
    wrong += [f"{name} is in the payload too often" for name in found - listed]
    return none_of(wrong, "the same files in header and payload", f"{found.total()} files")


def _metadata(subject: Subject) -> Outcome:
    scan = subject.payload
    wrong = [f"{s.file.name}: {what}" for s in scan.members for what in _differences(s, scan)]
    return none_of(wrong, "type, mode, time, size and link as in the header", "all as in the header")


def _differences(seen: SeenFile, scan: Scan) -> Iterator[str]:
    file, member = seen.file, seen.member
    if member.index is None:
        if member.mode != file.mode:
            yield f"mode {member.mode:o} in the payload, {file.mode:o} in the header"
        if member.mtime != file.mtime:
            yield f"time {member.mtime} in the payload, {file.mtime} in the header"
        if (member.uid, member.gid) != (0, 0):
            yield f"owner {member.uid}:{member.gid} in the payload"
    if file.is_regular:
        linked = member.size == 0 and file.inode in scan.linked_digests and scan.linked_sets[file.inode] > 1
        if member.size != file.size and not linked:
            yield f"{member.size} bytes in the payload, {file.size} in the header"
    elif seen.link != file.link:
        yield f"link to {seen.link!r} in the payload, {file.link!r} in the header"


def _digests(subject: Subject) -> Outcome:
    scan = subject.payload
    wrong = []
    for seen in scan.members:
        file = seen.file
        if not file.is_regular:
            if file.digest:
                wrong.append(f"{file.name} has a digest and is no regular file")
        elif file.digest != (seen.digest or scan.linked_digests.get(file.inode)):
            wrong.append(f"{file.name} does not match its digest")
    regular = sum(s.file.is_regular for s in scan.members)
    return none_of(wrong, "the digests in the header", f"{regular} files match")


def _paths(subject: Subject) -> Outcome:
    package = subject.package
    judge = _source_path if package.is_source else _binary_path
    owned = subject.request.owned if subject.ours else ("/",)
    wrong = [
        f"{shown(file.name, 60)}: {why}"
        for file in package.files
        if (why := _any_path(file) or judge(file.name, owned))
    ]
    where = "plain names" if package.is_source else f"absolute paths below {', '.join(owned)}"
    return none_of(wrong, where, f"{len(package.files)} names")


def _any_path(file: HeaderFile) -> str:
    if not file.is_plain:
        return "not a plain path"
    if not file.name.isprintable() or not file.name.isascii():
        return "characters other than printable ASCII"
    if any(len(part) > MAX_NAME for part in file.name.split("/")):
        return "a name of more than 255 bytes"
    return ""


def _source_path(name: str, _owned: tuple[str, ...]) -> str:
    return "a path, or no name" if "/" in name or not name else ""


def _binary_path(name: str, owned: tuple[str, ...]) -> str:
    if not name.startswith("/"):
        return "not absolute"
    path = PurePosixPath(name)
    if any(path != PurePosixPath(top) and path.is_relative_to(top) for top in owned):
        return ""
    if path.is_relative_to(BUILD_IDS):
        return ""
    return "outside the folders that the package may own"


def _modes(subject: Subject) -> Outcome:
    wrong = []
    for file in subject.package.files:
        kind = stat.S_IFMT(file.mode)
        allowed = (stat.S_IFREG,) if subject.package.is_source else (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
        if kind not in allowed:
            wrong.append(f"{file.name}: type {kind:o}")
        elif kind != stat.S_IFLNK and file.mode & FORBIDDEN_MODES:
            wrong.append(f"{file.name}: mode {stat.S_IMODE(file.mode):04o}")
        elif file.caps not in ("", "="):
            wrong.append(f"{file.name}: capabilities {file.caps}")
    return none_of(wrong, "no setuid, setgid, sticky, world-writable, capable or special file", "none")


def _owners(subject: Subject) -> Outcome:
    wrong = [
        f"{f.name}: {f.user}:{f.group}" for f in subject.package.files if (f.user, f.group) != (ROOT, ROOT)
    ]
    return none_of(wrong, "root:root", "root:root")


SRCDEF = "macro _srcdefattr (644,root,root); in %files: %defattr(-,root,root)"
AGAIN = "build the package again; it was changed after rpmbuild wrote it"

RULES = (
    Rule("files.paths", "file names stay where they belong", "%files of the RPM spec's template", _paths),
    Rule("files.modes", "no file is dangerous by its mode", SRCDEF, _modes),
    Rule("files.owners", "every file belongs to root", SRCDEF, _owners),
    Rule("files.list", "header and payload list the same files", AGAIN, _list, needs_payload=True),
    Rule("files.metadata", "header and payload agree on each file", AGAIN, _metadata, needs_payload=True),
    Rule("files.digests", "every file matches its digest", AGAIN, _digests, needs_payload=True),
)
