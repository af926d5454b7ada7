"""The place that was named: what it is, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from hamkit.errors import UserError
from hamkit.files import scratch_folder, sha256_file
from hamkit.prove.rpm.dependency import OBSOLETES, PROVIDES, dependencies
from hamkit.prove.rpm.findings import shown
from hamkit.prove.rpm.published.listing import parse_list
from hamkit.prove.rpm.published.record import Interest, Published, PublishedPackage, chosen, nevra_of
from hamkit.prove.rpm.published.repodata import REPOMD, Fetch, read_repodata
from hamkit.rpmfiles import BadPackage, read_package
from hamkit.rpmfiles.header import LEAD_MAGIC
from hamkit.rpmfiles.package import MAX_PACKAGE

HINT = "name a folder of RPMs, a repository (folder or URL), a list as rpm -qa prints it, or an RPM"
MAX_LIST = 32 << 20
MOST_FILES = 20_000


def read_published(place: str, interest: Interest) -> Published:
    """What of a place is of interest. A place is a path or a URL (http, https, file).

    Raises UserError when it is none of what can be read, or damaged; MissingNeed when nobody answers.
    """
    scheme = place.partition("://")[0] if "://" in place else ""
    if scheme == "file":
        parts = urlsplit(place)
        if parts.hostname not in (None, "localhost"):
            raise UserError(f"{shown(place)} is on another machine", "give file:///PATH")
        return _local(Path(unquote(parts.path)), place, interest)
    if scheme:
        return _remote(place.rstrip("/"), interest)
    return _local(Path(place), place, interest)


def _local(path: Path, place: str, interest: Interest) -> Published:
    try:
        if path.is_dir():
            if path.name == "repodata" and (path.parent / REPOMD).exists():
                path = path.parent
            if (path / REPOMD).exists():
                return _repository(place, interest, lambda name, limit: _file_of(path, name, limit))
            return _folder(path, place, interest)
        if not path.is_file():
            why = "is neither a folder nor a file" if path.exists() else "is not there"
            raise UserError(f"the repository {shown(str(path))} {why}", HINT)
        if path.name == PurePosixPath(REPOMD).name and path.parent.name == "repodata":
            return _local(path.parent.parent, place, interest)
        with path.open("rb") as stream:
            magic = stream.read(len(LEAD_MAGIC))
        if magic == LEAD_MAGIC:
            return Published(place, "package", *chosen(interest, [_read(path)]))
        return _list(path, place, interest)
    except (OSError, ValueError) as bad:
        reason = bad.strerror if isinstance(bad, OSError) else "no path"
        raise UserError(f"cannot read the repository {shown(place)}: {reason}", HINT) from bad


def _remote(url: str, interest: Interest) -> Published:
    from hamkit.fetch import download  # noqa: PLC0415 - an HTTP client, for few runs

    with scratch_folder("repository") as work:
        if url.endswith(".rpm"):
            path = download.fetch(url, work / "package.rpm", MAX_PACKAGE, "package")
            return Published(url, "package", *chosen(interest, [_read(path)]))
        base = url.removesuffix(f"/{REPOMD}").removesuffix("/repodata")

        def fetch(name: str, limit: int) -> Path:
            return download.fetch(
                f"{base}/{name}", work / PurePosixPath(name).name, limit, "file of a repository"
            )

        return _repository(url, interest, fetch)


def _repository(place: str, interest: Interest, fetch: Fetch) -> Published:
    try:
        return Published(place, "repository", *chosen(interest, read_repodata(fetch)))
    except UserError as bad:
        raise UserError(f"the repository {shown(place)}: {bad.message}", bad.hint) from bad


def _file_of(top: Path, name: str, limit: int) -> Path:
    path = top / name
    if not path.is_file():
        raise UserError(f"{shown(name, 80)} is not there", "make the metadata again: createrepo_c DIRECTORY")
    if path.stat().st_size > limit:
        raise UserError(f"{shown(name, 80)} has more than the {limit} bytes it may have", HINT)
    return path


def _folder(path: Path, place: str, interest: Interest) -> Published:
    files = []
    for found in path.rglob("*.rpm"):
        files.append(found)
        if len(files) > MOST_FILES:
            raise UserError(f"{shown(place)} holds more than {MOST_FILES} RPMs", "run createrepo_c on it")
    if not files:
        raise UserError(f"{shown(place)} holds no RPM and no repodata", HINT)
    return Published(place, "folder", *chosen(interest, _each(sorted(files), interest)))


def _each(files: list[Path], interest: Interest) -> Iterator[PublishedPackage]:
    """The packages; only of those that count the whole file is read."""
    for path in files:
        package = _read(path, whole=False)
        yield replace(package, digests={"sha256": sha256_file(path)}) if interest.wants(package) else package


def _read(path: Path, whole: bool = True) -> PublishedPackage:
    try:
        package = read_package(path)
        return PublishedPackage(
            nevra_of(package),
            {"sha256": sha256_file(path)} if whole else {},
            package.header.digest("sha256"),
            tuple(dependencies(package, PROVIDES)),
            tuple(dependencies(package, OBSOLETES)),
        )
    except BadPackage as bad:
        raise UserError(f"{shown(path.name, 80)} is no sound package: {bad.message}", bad.hint) from bad


def _list(path: Path, place: str, interest: Interest) -> Published:
    if path.stat().st_size > MAX_LIST:
        raise UserError(f"{shown(place)} has more than the {MAX_LIST} bytes that a list may have", HINT)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as bad:
        raise UserError(f"{shown(place)} is neither a package nor a list of packages", HINT) from bad
    found = chosen(interest, parse_list(text, shown(path.name, 60)))
    if not found[0]:
        raise UserError(f"{shown(place)} lists no package", HINT)
    return Published(place, "list", *found, digests=False)
