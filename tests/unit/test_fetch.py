"""Kernel sources from URLs, against a server on loopback: first use, resumed, changed, refused."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hamkit.errors import Failure, HamkitError, MissingNeed, UserError
from hamkit.fetch import pins
from hamkit.fetch.download import Part, Patience, download
from hamkit.fetch.names import shown, source_name
from hamkit.fetch.source import find_source
from hamkit.files import project_root, sha256_file
from hamkit.kernel.source import tree_digest
from hamkit.progress import Quiet

from .file_server import Served, serving

SMALL = project_root() / "tests" / "data" / "kernel" / "small24"
NAME = "linux-2.4.99.tar"
HASTY = Patience(tries=3, connect=2, read=2, pause=0.01, largest=1 << 22)
PATH = project_root()


def archive(**member: object) -> bytes:
    """The small tree below linux/, large enough to be cut; ``member``: one more, with these fields."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as made:
        made.add(SMALL, "linux")
        noise = random.Random(1).randbytes(700_000)
        info = tarfile.TarInfo("linux/noise")
        info.size = len(noise)
        made.addfile(info, io.BytesIO(noise))
        if member:
            info = tarfile.TarInfo()
            for name, value in member.items():
                setattr(info, name, value)
            made.addfile(info, io.BytesIO(bytes(info.size)))
    return raw.getvalue()


TARBALL = archive()


@pytest.fixture(autouse=True)
def alone(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and a lock file of the test's own, no proxy on the way."""
    monkeypatch.setenv("HAM_SOURCES_LOCK", str(tmp_path / "sources.lock"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    cache.mkdir()
    return tmp_path / "sources.lock"


def hidden(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "kernels").iterdir() if path.name[0] == ".")


def get(url: str, cache: Path, patience: Patience = HASTY) -> bytes:
    """Downloaded without the rest."""
    (cache / "kernels").mkdir(exist_ok=True)
    part = Part(cache / "kernels" / NAME)
    download([url], part, Quiet(), patience)
    return part.path.read_bytes()


def test_first_use_pins_and_the_second_needs_no_network(cache: Path, alone: Path) -> None:
    with serving(Served(TARBALL)) as server:
        found = find_source(server.url, Quiet())
    assert tree_digest(found.root) != tree_digest(SMALL), "it has the noise too"
    assert (found.root / "Makefile").read_bytes() == (SMALL / "Makefile").read_bytes()
    assert alone.read_text().splitlines()[1:] == [f"{hashlib.sha256(TARBALL).hexdigest()}  {NAME}"]
    assert (server.asked, server.sent) == ([None], [len(TARBALL)])
    assert find_source(server.url, Quiet()).root == found.root, "the server is gone"
    assert find_source(NAME, Quiet()).root == found.root, "by name"
    assert hidden(cache) == []
    done = subprocess.run(["sha256sum", "-c", alone], cwd=cache / "kernels", capture_output=True, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("validator", ["tag", "modified"])
def test_a_cut_connection_is_gone_on_with(validator: str, cache: Path) -> None:
    tag, modified = ('"two"', "") if validator == "tag" else ('W/"2"', "Wed, 04 Jul 2001 10:00:00 GMT")
    with serving(Served(TARBALL, tag=tag, modified=modified, cuts=[200_000, 300_000])) as server:
        assert get(server.url, cache) == TARBALL
    assert server.asked == [None, "bytes=200000-", "bytes=500000-"]
    assert server.sent == [200_000, 300_000, len(TARBALL) - 500_000], "only the rest was sent"


def test_a_killed_run_is_gone_on_with(cache: Path) -> None:
    code = (
        "import sys; from hamkit.fetch.source import find_source; from hamkit.progress import Quiet; "
        "find_source(sys.argv[1], Quiet())"
    )
    part = cache / "kernels" / f".{NAME}.part"
    with serving(Served(TARBALL, cuts=[262_144], hold=threading.Event())) as server:
        running = subprocess.Popen([sys.executable, "-c", code, server.url], cwd=PATH)
        deadline = time.monotonic() + 60
        while not (part.is_file() and part.stat().st_size >= 262_144) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.kill()
        running.wait()
        begin = part.stat().st_size
        find_source(server.url, Quiet())
    assert begin == 262_144
    assert server.asked == [None, f"bytes={begin}-"]
    assert server.sent[1] == len(TARBALL) - begin
    assert (cache / "kernels" / NAME).read_bytes() == TARBALL
    assert hidden(cache) == []


@pytest.mark.parametrize(
    "fields", [{"ranges": False}, {"tag": ""}, {"tag": 'W/"weak"'}, {"shift": 1}], ids=lambda f: next(iter(f))
)
def test_a_server_that_cannot_go_on_sends_all_of_it(fields: dict[str, object], cache: Path) -> None:
    with serving(Served(TARBALL, cuts=[100_000], **fields)) as server:  # type: ignore[arg-type]
        assert get(server.url, cache) == TARBALL
    assert server.sent[-1] == len(TARBALL)


def test_a_file_that_changed_meanwhile_is_not_mixed(cache: Path) -> None:
    other = TARBALL[::-1]
    with serving(Served(TARBALL, cuts=[100_000, 0, 0, 0], hold=None)) as server:
        with pytest.raises(MissingNeed, match="cannot download"):
            get(server.url, cache)
        server.content, server.tag, server.cuts = other, '"other"', []
        assert get(server.url, cache) == other
    assert server.asked[-1] == "bytes=100000-"
    assert server.sent[-1] == len(other)


def test_a_whole_part_is_not_asked_for_again(cache: Path) -> None:
    with serving(Served(TARBALL)) as server:
        get(server.url, cache)
        assert get(server.url, cache) == TARBALL
    assert len(server.asked) == 1


def test_a_changed_file_is_refused_by_its_pin(cache: Path, alone: Path) -> None:
    digest = hashlib.sha256(TARBALL).hexdigest()
    alone.write_text(f"{'0' * 64}  {NAME}\n")
    with serving(Served(TARBALL)) as server, pytest.raises(Failure) as error:
        find_source(server.url, Quiet())
    assert digest in error.value.message
    assert "0" * 64 in error.value.message
    assert str(alone) in error.value.hint
    assert list((cache / "kernels").iterdir()) == [], "nothing is kept"


def test_a_file_that_was_changed_in_the_cache_is_not_used(cache: Path) -> None:
    with serving(Served(TARBALL)) as server:
        find_source(server.url, Quiet())
    path = cache / "kernels" / NAME
    path.write_bytes(TARBALL + b"\0")
    for given in (server.url, NAME):
        with pytest.raises(Failure, match="is pinned as") as error:
            find_source(given, Quiet())
        assert sha256_file(path) in error.value.message


def test_a_file_put_there_by_hand_serves(cache: Path, alone: Path) -> None:
    url = f"http://127.0.0.1:1/{NAME}"  # nobody listens
    with pytest.raises(MissingNeed) as error:
        find_source(url, Quiet())
    assert url in error.value.message
    assert "refused" in error.value.message
    assert str(cache / "kernels" / NAME) in error.value.hint
    (cache / "kernels" / NAME).write_bytes(TARBALL)
    assert find_source(url, Quiet()).origin == url
    assert NAME in alone.read_text()


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"status": 404}, UserError, "404"),
        ({"status": 403}, UserError, "403"),
        ({"status": 503}, MissingNeed, "503"),
        ({"length": str(1 << 40)}, UserError, f"has {1 << 40} bytes"),
        ({"length": str(len(TARBALL) + 5)}, MissingNeed, "cannot download"),
        ({"location": "http://127.0.0.1:1/gone.tar"}, MissingNeed, "refused"),
        ({"location": "file:///etc/passwd"}, UserError, "cannot download"),
        ({"location": "/old/again.tar"}, UserError, "redirects"),
        ({"content": b"\0" * (HASTY.largest + 1), "length": ""}, UserError, "sends more than"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_line(
    fields: dict[str, object], kind: type[HamkitError], words: str, cache: Path
) -> None:
    with (
        serving(Served(**{"content": TARBALL} | fields)) as server,  # type: ignore[arg-type]
        pytest.raises(kind, match=words) as error,
    ):
        get(server.url, cache)
    assert "\n" not in error.value.message
    assert error.value.hint
    assert not (cache / "kernels" / NAME).exists()


@pytest.mark.parametrize(
    "fields",
    [{"length": str(len(TARBALL) - 50_000)}, {"content": b"<html>Moved</html>\n"}],
    ids=["cut", "page"],
)
def test_what_is_no_source_is_neither_kept_nor_pinned(
    fields: dict[str, object], cache: Path, alone: Path
) -> None:
    with (
        serving(Served(**{"content": TARBALL} | fields)) as server,  # type: ignore[arg-type]
        pytest.raises(UserError, match="cannot be unpacked"),
    ):
        find_source(server.url, Quiet())
    assert list((cache / "kernels").iterdir()) == []
    assert not alone.exists()


def test_without_a_length_the_end_is_the_end(cache: Path) -> None:
    with serving(Served(TARBALL, length="")) as server:
        assert get(server.url, cache) == TARBALL


def test_redirects_and_mirrors(cache: Path) -> None:
    with serving(Served(TARBALL)) as good, serving(Served(b"", status=404)) as bad:
        bad_url, good_url = bad.url, good.url
        with serving(Served(b"", location=good_url.replace("/old/", "/new/"))) as away:
            find_source(f"{bad_url} {away.url}", Quiet())
    assert (cache / "kernels" / NAME).read_bytes() == TARBALL
    assert (len(bad.asked), len(away.asked), len(good.asked)) == (1, 1, 1)


def test_a_local_file(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "some where").mkdir()
    path = tmp_path / "some where" / NAME
    path.write_bytes(TARBALL)
    assert find_source(path.as_uri(), Quiet()).root.is_relative_to(cache)
    assert (cache / "kernels" / NAME).read_bytes() == TARBALL
    with pytest.raises(UserError, match="cannot read"):
        find_source((tmp_path / "none.tar").as_uri(), Quiet())


def test_many_runs_download_once(cache: Path) -> None:
    with serving(Served(TARBALL)) as server, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: find_source(server.url, Quiet()).root, range(4)))
    assert len(set(found)) == 1
    assert server.sent == [len(TARBALL)]


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ({"name": "../../evil", "size": 3}, "not a path within"),
        ({"name": "linux/dev", "type": tarfile.CHRTYPE}, "neither a file"),
        ({"name": "linux/out", "type": tarfile.SYMTYPE, "linkname": "../../../etc"}, "out of the archive"),
    ],
)
def test_a_hostile_archive_is_refused_all_the_same(
    member: dict[str, object], words: str, cache: Path
) -> None:
    with serving(Served(archive(**member))) as server, pytest.raises(UserError, match=words):
        find_source(server.url, Quiet())
    assert not any((cache / "trees").glob("*/linux"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://host/", "name of a file"),
        ("http://host/a/%2e%2e", "name of a file"),
        ("http://host/..%2fevil", "name of a file"),
        ("http:///x.tar", "no URL"),
        ("gopher://host/x.tar", "no URL"),
        ("http://host/a.tar https://other/b.tar", "one name"),
    ],
)
def test_urls_that_lead_to_no_file(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find_source(url, Quiet())


def test_names_and_passwords() -> None:
    assert source_name(["http://h/a/linux.tar.gz?x=1#y", "file:///b/linux.tar.gz"]) == "linux.tar.gz"
    assert shown("https://me:secret@host:1/x.tar") == "https://host:1/x.tar"


def test_a_lock_file_with_mistakes(alone: Path) -> None:
    alone.write_text(f"# a word\n\n{'1' * 64}  a.tar\n{'2' * 64}  a.tar\nabc  b.tar\n")
    with pytest.raises(UserError) as error:
        pins.pinned("a.tar")
    assert [line.split(":")[1] for line in error.value.message.splitlines()] == ["4", "5"]


def test_a_lock_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_text("")
    monkeypatch.setenv("HAM_SOURCES_LOCK", str(tmp_path / "plain" / "sources.lock"))
    with pytest.raises(UserError, match="cannot pin"):
        pins.pin("a.tar", "1" * 64)


def test_the_task_takes_a_url(cache: Path) -> None:
    command = [sys.executable, "-m", "invoke", "--search-root", str(PATH), "facts", "--json", "--tree"]
    with serving(Served(TARBALL)) as server:
        done = subprocess.run(
            [*command, server.url], capture_output=True, text=True, check=False, env=dict(os.environ)
        )
    assert '"release": "2.4.' in done.stdout, done.stderr
    assert f"pinned {NAME}" in done.stderr
    done = subprocess.run(
        [*command, "http://127.0.0.1:1/other.tar"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
