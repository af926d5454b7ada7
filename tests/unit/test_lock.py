"""Locks: what a file must be, what apt is told, and what is said when a version is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit import specs
from hamkit.build import lock as locks
from hamkit.errors import Failure, MissingNeed, UserError
from hamkit.render.dockerfile import dockerfile

BASE = "sha256:" + "0" * 64
DEBIAN = specs.load("debian-12")
GOOD = "gcc 4:12.2.0-3 amd64\nlibc6-dev 2.36-9+deb12u14 i386\nadduser 3.134 all\n"
SAID = """Step 1/2 : FROM x
E: Version '1-1' for 'old' was not found
Step 1/2 : FROM x
E: Version '4:11.0.0-1' for 'gcc' was not found
\x1b[91mE: \x1b[0m
\x1b[91mVersion '4.2-9' for 'make' was not found
\x1b[0m
\x1b[91mE: Unable to locate package libfoo1\x1b[0m
"""


def written(folder: Path, text: str = GOOD) -> Path:
    path = folder / "build-environment.txt"
    path.write_text(text)
    return path


def test_what_apt_is_told(tmp_path: Path) -> None:
    lock = locks.load(written(tmp_path))
    assert lock.pins == ("gcc=4:12.2.0-3", "libc6-dev:i386=2.36-9+deb12u14", "adduser=3.134")


def test_pins_take_the_place_of_names() -> None:
    pins = ("gcc=1-1", "linux-headers-amd64=2-2")
    for name, kind in (("debian-12", "own"), ("el9", "style")):
        text = dockerfile(specs.load(name), BASE, kind, DEBIAN if kind == "style" else None, pins)  # type: ignore[arg-type]
        assert "        gcc=1-1 \\\n        linux-headers-amd64=2-2; \\\n" in text
        assert text.count(" install \\") == 1
        assert "--allow-downgrades" in text
    assert '"linux-image-$release=$version"' in dockerfile(DEBIAN, BASE, pins=pins), "the kernel's as well"
    assert "--allow-downgrades" not in dockerfile(DEBIAN, BASE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("gcc\n", "line 1 is no package"),
        (GOOD + "make 4.3\n", "line 4 is no package"),
        ("gcc 1;reboot amd64\n", "line 1 is no package"),
        ("gcc 1 amd64 \\\n", "line 1 is no package"),
        ("--allow-unauthenticated 1 amd64\n", "line 1 is no package"),
        ("$(reboot) 1 amd64\n", "line 1 is no package"),
        ("a 1 all\n" * 200_000, "more than 1 MiB"),
    ],
)
def test_what_is_no_lock(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        locks.load(written(tmp_path, text))


def test_a_lock_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the lock"):
        locks.load(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="it is no text"):
        locks.load(tmp_path / "bytes")


def test_a_lock_of_another_image(tmp_path: Path) -> None:
    lock = locks.load(written(tmp_path))
    with pytest.raises(UserError, match="is of another image: it has no make, rpm"):
        locks.fits(lock, DEBIAN, "own")
    with pytest.raises(UserError, match="is not made by apt"):
        locks.fits(lock, specs.load("el9"), "own")
    with pytest.raises(UserError, match="is not made by apt"):
        locks.fits(lock, DEBIAN, "userland")
    every = "".join(f"{name} 1-1 amd64\n" for name in DEBIAN.image.packages)
    locks.fits(locks.load(written(tmp_path, every)), DEBIAN, "own")


def test_versions_that_are_gone_are_named(tmp_path: Path) -> None:
    lock, log = locks.load(written(tmp_path)), tmp_path / "log"
    log.write_text(SAID)
    failure = Failure("the image did not build")
    told = locks.explained(failure, lock, DEBIAN, log)
    assert isinstance(told, MissingNeed)
    assert "no longer has gcc 4:11.0.0-1, make 4.2-9, libfoo1, which" in told.message
    assert "\n" not in told.message
    assert "--write-lock" in told.hint
    log.write_text("E: Failed to fetch\n")
    assert locks.explained(failure, lock, DEBIAN, log) is failure


def test_an_image_holds_its_lock_and_nothing_else(tmp_path: Path) -> None:
    lock, installed = locks.load(written(tmp_path)), tmp_path / "packages"
    installed.write_text("".join(sorted(GOOD.splitlines(keepends=True))))
    locks.held(lock, installed, DEBIAN)
    installed.write_text("adduser 3.134 all\ngcc 4:12.2.0-4 amd64\nlibc6-dev 2.36-9+deb12u14 i386\n")
    with pytest.raises(Failure, match=r"gcc 4:12.2.0-3 is not in it; gcc 4:12.2.0-4 is in it"):
        locks.held(lock, installed, DEBIAN)
