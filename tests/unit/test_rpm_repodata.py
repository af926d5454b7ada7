"""Metadata of repositories: every form of it, over the network too, and what is hostile."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import http.server
import lzma
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from hamkit.errors import MissingNeed, UserError
from hamkit.prove.rpm.published import repodata
from tests.unit.test_rpm_repository import failed, judge, mine, put, recipe, told


@dataclass(frozen=True)
class Repository:
    """Metadata to write: the texts, how primary is packed, and what repomd.xml says of it."""

    primary: str
    suffix: str = ".gz"
    href: str = ""
    checksum: str = ""
    kind: str = "sha256"
    head: str = '<?xml version="1.0" encoding="UTF-8"?>'
    opened: int | None = None


PACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
COMMON = 'xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"'
PACKAGE = """<package type="rpm"><name>{name}</name><arch>x86_64</arch>
<version epoch="{epoch}" ver="{version}" rel="1"/><checksum type="sha256" pkgid="YES">{digest}</checksum>
<summary>text</summary><location href="{href}"/><format><rpm:provides><rpm:entry name="ham" flags="EQ"
epoch="0" ver="1.0" rel="1"/></rpm:provides><rpm:obsoletes>{obsoletes}</rpm:obsoletes></format></package>"""


def package(name: str = "ham", version: str = "1.0", epoch: int | str = 0, **more: str) -> str:
    given = {"digest": "0" * 64, "href": "Packages/x.rpm", "obsoletes": ""} | more
    return PACKAGE.format(name=name, version=version, epoch=epoch, **given)


def metadata(*packages: str) -> str:
    return f"<metadata {COMMON} packages='{len(packages)}'>{''.join(packages)}</metadata>"


def lay(folder: Path, repository: Repository) -> Path:
    raw = repository.primary.encode()
    packed = PACK.get(repository.suffix, bytes)(raw)
    name = f"repodata/primary.xml{repository.suffix}" if repository.suffix else "repodata/primary.xml"
    (folder / "repodata").mkdir(parents=True)
    (folder / name).write_bytes(packed)
    checksum = (
        repository.checksum
        or hashlib.new(
            repository.kind.replace("sha", "sha1", 1) if repository.kind == "sha" else repository.kind, packed
        ).hexdigest()
    )
    size = "" if repository.opened is None else f"<open-size>{repository.opened}</open-size>"
    (folder / "repodata/repomd.xml").write_text(
        f"""{repository.head}<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>
        <data type="filelists"><checksum type="sha256">00</checksum><location href="nowhere.xml"/></data>
        <data type="primary"><checksum type="{repository.kind}">{checksum}</checksum>
        <location href="{repository.href or name}"/>{size}</data></repomd>"""
    )
    return folder


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ""])
@pytest.mark.parametrize("kind", ["sha256", "sha", "sha512"])
def test_repositories_with_metadata(tmp_path: Path, suffix: str, kind: str) -> None:
    text = metadata(package("other"), package(version="1.1"), package(version="0.9"))
    repo = lay(tmp_path / "repo", Repository(text, suffix, kind=kind, opened=len(text)))
    for place in (repo, repo / "repodata", repo / "repodata/repomd.xml", repo.as_uri()):
        result = judge(mine(tmp_path), place)
        assert failed(result) == {"upgrade"}
        assert "ham-1.1-1.x86_64" in told(result)["upgrade"].seen
        assert "of 3)" in told(result)["name"].seen


def test_digests_and_epochs_of_metadata(tmp_path: Path) -> None:
    own = hashlib.sha256(mine(tmp_path).read_bytes()).hexdigest()
    repo = lay(tmp_path / "a", Repository(metadata(package(digest=own))))
    assert failed(judge(mine(tmp_path), repo)) == set()
    repo = lay(tmp_path / "b", Repository(metadata(package(epoch=3, version="0.1"))))
    assert failed(judge(mine(tmp_path), repo)) == {"epoch"}
    entry = '<rpm:entry name="ham" flags="LE" epoch="0" ver="1.0"/>'
    repo = lay(tmp_path / "c", Repository(metadata(package("new-ham", obsoletes=entry))))
    assert failed(judge(mine(tmp_path), repo)) == {"obsoleted"}


def test_a_repository_of_the_network(tmp_path: Path) -> None:
    lay(tmp_path / "repo", Repository(metadata(package(version="7"))))
    put(tmp_path / "repo", "ham.rpm", recipe(VERSION=["8"]))
    with serving(tmp_path) as url:
        assert "ham-7-1" in told(judge(mine(tmp_path), f"{url}/repo/"))["upgrade"].seen
        assert "ham-7-1" in told(judge(mine(tmp_path), f"{url}/repo/repodata/repomd.xml"))["upgrade"].seen
        assert "ham-8-1" in told(judge(mine(tmp_path), f"{url}/repo/ham.rpm"))["upgrade"].seen
        with pytest.raises(UserError, match="the server says 404"):
            judge(mine(tmp_path), f"{url}/none")
    with pytest.raises(MissingNeed, match="Connection refused"):
        judge(mine(tmp_path), f"{url}/repo")
    with pytest.raises(UserError, match="not a URL that can be fetched"):
        judge(mine(tmp_path), "http://user:secret@localhost/repo")
    with pytest.raises(UserError, match="not a URL that can be fetched"):
        judge(mine(tmp_path), "gopher://localhost/repo")


class serving:  # noqa: N801 - reads as a statement
    """A folder as a web site, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        handler = partial(_Silent, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
BOMB = "<metadata>" + " " * (12 << 20) + "</metadata>"
HOSTILE = {
    "entity expansion": (Repository(metadata(package()), head=LAUGHS), "declares a document type"),
    "external entity": (Repository(OUTSIDE + metadata(package())), "declares a document type"),
    "bomb": (Repository(BOMB, opened=12 << 20), "claim to unpack to 12582912"),
    "bomb that says nothing": (Repository(BOMB), "unpack to more than"),
    "more than it says": (Repository(metadata(package()), opened=10), "more than the 10 bytes"),
    "checksum": (Repository(metadata(), checksum="ab" * 32), "does not match its checksum"),
    "no checksum": (Repository(metadata(), kind="md4", checksum="00"), "no checksum of primary.xml"),
    "traversal": (Repository(metadata(), href="../../etc/passwd"), "outside of the repository"),
    "absolute": (Repository(metadata(), href="/etc/passwd"), "outside of the repository"),
    "another machine": (Repository(metadata(), href="http://localhost/p.xml"), "outside of the repository"),
    "package outside": (Repository(metadata(package(href="../x.rpm"))), "outside of the repository"),
    "missing": (Repository(metadata(), href="repodata/none.xml.gz"), "none.xml.gz is not there"),
    "unknown compressor": (Repository(metadata(), ".zck"), "compressed in a way"),
    "not well-formed": (Repository("<metadata><package></metadata>"), "is no whole XML"),
    "cut off": (Repository(metadata(package())[:-30]), "is no whole XML"),
    "another document": (Repository("<html/>"), "is no list of packages, but html"),
    "deep": (Repository("<metadata>" + "<a>" * 50 + "</a>" * 50 + "</metadata>"), "nested deeper"),
    "nameless": (Repository(metadata(package(name=""))), "without a full name"),
    "epoch": (Repository(metadata(package(epoch="x"))), "without a full name"),
    "giant tag": (Repository(f"<metadata a='{'x' * (5 << 20)}'/>", ""), "a tag or text of more than"),
    "no XML": (Repository("\0\0\0"), "is no whole XML"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_repository_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    repository, why = HOSTILE[case]
    repo = lay(tmp_path / "repo", repository)
    new = mine(tmp_path)
    tracemalloc.start()
    begin = time.process_time()
    with pytest.raises(UserError) as refused:
        judge(new, repo)
    seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert why in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint
    assert peak < 100 << 20
    assert seconds < 20, "a bound on runaway work, not a speed"


def test_what_is_packed_but_broken(tmp_path: Path) -> None:
    repo = lay(tmp_path / "repo", Repository(metadata(package())))
    path = repo / "repodata/primary.xml.gz"
    path.write_bytes(path.read_bytes()[:-20])
    text = (repo / "repodata/repomd.xml").read_text()
    new = hashlib.sha256(path.read_bytes()).hexdigest()
    old = text.split('<data type="primary"><checksum type="sha256">')[1].split("<")[0]
    (repo / "repodata/repomd.xml").write_text(text.replace(old, new))
    with pytest.raises(UserError, match="end before their end mark"):
        judge(mine(tmp_path), repo)


def test_metadata_beyond_any_size_is_not_read(tmp_path: Path) -> None:
    repo = lay(tmp_path / "repo", Repository(metadata()))
    with (repo / "repodata/repomd.xml").open("r+b") as stream:
        stream.truncate(repodata.MAX_REPOMD + 1)
    with pytest.raises(UserError, match=r"repomd.xml has more than"):
        judge(mine(tmp_path), repo)


def test_a_text_of_a_repository_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    entry = '<rpm:entry name="ham" flags="LE" epoch="0" ver="1.0&#x9b;31m"/>'
    repo = lay(tmp_path / "repo", Repository(metadata(package("new&#x9b;ham", obsoletes=entry))))
    seen = told(judge(mine(tmp_path), repo))["obsoleted"].seen
    assert seen.isprintable()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HAM_CACHE", str(tmp_path / "cache"))
    yield
    left = list((tmp_path / "cache").glob("work/*"))
    assert left == []
