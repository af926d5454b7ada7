"""The command line of hamctl and memfill, and their Makefile, where no HAM is needed."""

from __future__ import annotations

import shutil
import subprocess
from os import sysconf
from pathlib import Path

import pytest

import hamkit
from hamkit.files import project_root, sha256_file
from hamkit.run import Completed, run

SOURCE = project_root() / "ham-src"
USAGE, NO_HAM = 2, 3
NO_MEMORY, FILL_USAGE = 2, 3
GUEST_CC = "i386-linux-musl-gcc"
PROGRAMS = ("hamctl", "memfill", "memwork", "hamabuse", "haminit")

needs_no_ham = pytest.mark.skipif(Path("/dev/ham").exists(), reason="HAM is loaded on this machine")


def make(*words: str | Path, check: bool = True) -> Completed:
    return run(["make", "-s", "-C", SOURCE, *words], check=check)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with hamctl, memfill, hamabuse and haminit, built with warnings as errors."""
    if shutil.which("gcc") is None or shutil.which("make") is None:
        pytest.skip("gcc or make is not installed: apt-get install gcc make libc6-dev")
    out = tmp_path_factory.mktemp("programs")
    make("tools", "proof", f"OUT={out}", "CFLAGS=-O2 -g -Werror")
    return out


def hamctl(programs: Path, *words: str) -> Completed:
    return run([programs / "hamctl", *words], check=False)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "no command"),
        (["frobnicate"], "unknown command: frobnicate"),
        (["status", "x"], "takes no argument: x"),
        (["count", "x"], "takes no argument: x"),
        (["list", "-v"], "takes no argument: -v"),
        (["retry", "1"], "takes no argument: 1"),
        (["online", "1"], "takes no argument: 1"),
        (["--version", "x"], "takes no argument: x"),
        (["add"], "add wants START SIZE"),
        (["add", "0"], "add wants START SIZE"),
        (["add", "0", "1", "rw", "x"], "add wants START SIZE"),
        (["add", "0", "128M", "wo"], "attribute: neither rw nor ro: wo"),
        (["add", "", "128M"], "START: not a number"),
        (["add", "-1", "128M"], "START: not a number: -1"),
        (["add", " 1", "128M"], "START: not a number"),
        (["add", "+1", "128M"], "START: not a number"),
        (["add", "0x", "128M"], "START: not a number: 0x"),
        (["add", "0xg", "128M"], "START: not a number"),
        (["add", "0", "M"], "SIZE: not a number: M"),
        (["add", "0", "128MB"], "SIZE: trailing characters: 128MB"),
        (["add", "0", "128 M"], "SIZE: trailing characters"),
        (["add", "0", "1T"], "SIZE: trailing characters: 1T"),
        (["add", "ff", "1"], "START: not a number: ff"),
        (["add", "12f", "1"], "START: trailing characters: 12f"),
        (["add", "18446744073709551616", "1"], "START: too large"),
        (["add", "0x10000000000000000", "1"], "START: too large"),
        (["add", "0", "17179869184G"], "SIZE: too large: 17179869184G"),
        (["wait-enabled", "--timeout"], "takes only --timeout SECONDS"),
        (["wait-enabled", "5"], "takes only --timeout SECONDS"),
        (["wait-enabled", "--timeout", "-1"], "SECONDS: not a number: -1"),
        (["wait-enabled", "--timeout", "99999999999"], "SECONDS: too large"),
    ],
)
def test_wrong_arguments_are_refused_with_one_line(programs: Path, words: list[str], complaint: str) -> None:
    done = hamctl(programs, *words)
    assert done.returncode == USAGE
    assert done.stdout == ""
    assert done.stderr.startswith("hamctl: ")
    assert done.stderr.count("\n") == 1
    assert complaint in done.stderr


@needs_no_ham
@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["count"],
        ["list"],
        ["retry"],
        ["online"],
        ["wait-enabled"],
        ["wait-enabled", "--timeout", "0"],
        ["add", "0x20000000", "128M"],
        ["add", "18446744073709551615", "0xFFFFFFFFFFFFFFFF", "ro"],
        ["add", "17179869183G", "1k", "rw"],
    ],
)
def test_right_arguments_meet_a_missing_ham(programs: Path, words: list[str]) -> None:
    done = hamctl(programs, *words)
    assert done.returncode == NO_HAM
    assert "is the module ham loaded?" in done.stderr


def test_help_and_version(programs: Path) -> None:
    assert hamctl(programs, "--version").stdout == f"hamctl {hamkit.__version__}\n"
    shown = hamctl(programs, "--help")
    assert shown.returncode == 0
    commands = ("status", "count", "list", "add", "retry", "online", "wait-enabled")
    assert [c for c in commands if f"  {c} " not in shown.stdout] == []


def test_manual_page_documents_every_command_and_status() -> None:
    page = (SOURCE / "tools" / "hamctl.8").read_text().replace("\\-", "-")
    words = ("status", "count", "list", "add", "retry", "online", "wait-enabled", "--timeout")
    assert [w for w in words if w not in page] == []
    assert [n for n in range(5) if f".B {n}\n" not in page] == []
    assert f"HAM {hamkit.__version__}" in page


def test_full_standard_output_is_an_error(programs: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [programs / "hamctl", "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"standard output" in done.stderr


def test_programs_are_static(programs: Path) -> None:
    for name in PROGRAMS:
        assert b"/ld-linux" not in (programs / name).read_bytes()


def test_memfill_verifies_what_it_fills(programs: Path) -> None:
    done = run([programs / "memfill", "9M"])
    assert done.stdout == f"memfill: {9 << 20} bytes verified, 0 bad pages\n"


def test_memfill_rounds_up_to_pages(programs: Path) -> None:
    assert run([programs / "memfill", "0x1001"]).stdout == "memfill: 8192 bytes verified, 0 bad pages\n"


def test_memfill_fills_more_than_one_small_address_space_with_several_processes(tmp_path: Path) -> None:
    """Built for i386, where a process has 3 GiB at most and is given 1 GiB."""
    sources = [SOURCE / "proof" / name for name in ("memfill.c", "fill.c")]
    if shutil.which(GUEST_CC) is None:
        pytest.skip(f"no {GUEST_CC}: dpkg --add-architecture i386, then apt-get install musl-dev:i386")
    run([GUEST_CC, "-O2", "-static", "-o", tmp_path / "memfill", *sources])
    size = (1 << 30) + (3 << 20)
    if sysconf("SC_AVPHYS_PAGES") * sysconf("SC_PAGE_SIZE") < 2 * size:
        pytest.skip("less than 2 GiB of memory are free")
    done = run([tmp_path / "memfill", str(size)])
    assert done.stdout == f"memfill: {size} bytes verified, 0 bad pages\n"


def test_haminit_is_no_program_for_a_running_machine(programs: Path) -> None:
    done = run([programs / "haminit"], check=False)
    assert done.returncode == USAGE
    assert "first process" in done.stderr


def test_memwork_copies_on_write(programs: Path) -> None:
    done = run([programs / "memwork", "cow", "3M"])
    assert done.stdout == f"memwork: cow: {3 << 20} bytes verified, 0 bad pages\n"


def test_memwork_reads_what_memfill_s_words_are(programs: Path, tmp_path: Path) -> None:
    zeros = tmp_path / "zeros"
    zeros.write_bytes(bytes(2 << 20))
    done = run([programs / "memwork", "read", zeros, "2M"], check=False)
    assert (done.returncode, done.stdout) == (1, f"memwork: read: {2 << 20} bytes verified, 1024 bad pages\n")


@pytest.mark.parametrize(
    "words", [[], ["cow"], ["cow", "0"], ["cow", "4X"], ["file", "4M"], ["release", "1"]]
)
def test_memwork_refuses_what_it_does_not_know(programs: Path, words: list[str]) -> None:
    done = run([programs / "memwork", *words], check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("usage: memwork")


def test_memfill_tells_want_of_memory_apart(programs: Path) -> None:
    done = run([programs / "memfill", "1048576G"], check=False)
    assert done.returncode == NO_MEMORY
    assert "not enough memory" in done.stderr


@pytest.mark.parametrize("words", [[], ["0"], ["-1"], ["1x"], ["1MM"], ["1M", "1M"], ["99999999999G"]])
def test_memfill_refuses_what_is_no_size(programs: Path, words: list[str]) -> None:
    done = run([programs / "memfill", *words], check=False)
    assert done.returncode == FILL_USAGE
    assert done.stderr.startswith("usage: memfill")


@needs_no_ham
def test_hamabuse_without_ham_is_no_failure_of_ham(programs: Path) -> None:
    done = run([programs / "hamabuse"], check=False)
    assert done.returncode == 2
    assert "/dev/ham" in done.stderr


def test_programs_are_the_same_bytes_from_another_folder(programs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "ham-src"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("build"))
    other = tmp_path / "out"
    run(["make", "-s", "-C", copy, "tools", "proof", f"OUT={other}", "CFLAGS=-O2 -g -Werror"])
    for name in PROGRAMS:
        assert sha256_file(other / name) == sha256_file(programs / name)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["modules"], "KDIR is not set"),
        (["modules", "KDIR="], "KDIR is not set"),
        (["modules", "KDIR=/nonexistent"], "is not a kernel's build tree"),
    ],
)
def test_modules_are_never_built_for_a_guessed_kernel(
    tmp_path: Path, words: list[str], complaint: str
) -> None:
    done = make(*words, f"OUT={tmp_path}", check=False)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert not list(tmp_path.rglob("*.o"))


def test_install_places_what_was_built(programs: Path, tmp_path: Path) -> None:
    make("install", f"OUT={programs}", f"DESTDIR={tmp_path}")
    installed = {
        str(p.relative_to(tmp_path)): p.stat().st_mode & 0o777 for p in tmp_path.rglob("*") if p.is_file()
    }
    assert installed == {
        "usr/sbin/hamctl": 0o755,
        "usr/share/man/man8/hamctl.8": 0o644,
        "usr/include/ham.h": 0o644,
        "usr/libexec/ham/memfill": 0o755,
        "usr/libexec/ham/memwork": 0o755,
        "usr/libexec/ham/hamabuse": 0o755,
        "usr/libexec/ham/haminit": 0o755,
    }


def test_install_of_modules_wants_the_kernels_release(tmp_path: Path) -> None:
    built = tmp_path / "kbuild"
    built.mkdir()
    for name in ("ham.ko", "mhp_sim.ko"):
        (built / name).write_bytes(b"module")
    done = make("install", f"OUT={tmp_path}", f"DESTDIR={tmp_path / 'root'}", check=False)
    assert done.returncode != 0
    assert "KREL is not set" in done.stderr
    make("install", f"OUT={tmp_path}", f"DESTDIR={tmp_path / 'root'}", "KREL=9.9.9-test")
    assert (tmp_path / "root/lib/modules/9.9.9-test/extra/ham/ham.ko").read_bytes() == b"module"
