"""Packages made to exhaust the reader: refused in one line, in little memory."""

from __future__ import annotations

import bz2
import lzma
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Protocol

import pytest

from hamkit.rpmfiles.tags import Kind, Sig, Tag
from tests.unit.rpm_writer import BUILD_TIME, File, Recipe, newc, write

MEMORY = 200 << 20
ZEROS = 1 << 30
BOMBS = ("gzip", "bzip2", "xz", "zstd")
SOURCE = Recipe()


class Packer(Protocol):
    """What bz2, lzma and zlib have in common."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


PACKERS: dict[str, Callable[[], Packer]] = {
    "gzip": partial(zlib.compressobj, 1, wbits=31),
    "bzip2": partial(bz2.BZ2Compressor, 1),
    "xz": partial(lzma.LZMACompressor, preset=0),
}
PROBE = """
import resource, sys
from pathlib import Path
from hamkit import specs
from hamkit.progress import Quiet
from hamkit.prove.rpm import CheckRequest, check
result = check(CheckRequest(Path(sys.argv[1]), specs.load("debian-12")), Quiet())
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
used = max(int(status["VmHWM"].split()[0]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
print(result.stage.verdict.value, used << 10, result.stage.seconds, result.stage.detail, sep="\\t")
"""


def claim(offset: int, entries: int, length: int) -> bytes:
    """A package whose header at ``offset`` claims other sizes."""
    raw = bytearray(write(SOURCE))
    raw[offset + 8 : offset + 16] = struct.pack(">II", entries, length)
    return bytes(raw)


def main_header() -> int:
    return write(SOURCE).rindex(bytes.fromhex("8eade801"))


@cache
def packed_zeros(name: str) -> bytes:
    """The head of a member of 1 GiB, and zeros behind it: more than may ever be unpacked."""
    head = newc("zeros", 0o100644, BUILD_TIME, ZEROS, 1)
    if name == "zstd":
        argv = ["sh", "-c", f"{{ cat; head -c {ZEROS} /dev/zero; }} | zstd -qc1"]
        return subprocess.run(argv, input=head, capture_output=True, check=True).stdout
    packer, chunk = PACKERS[name](), bytes(1 << 20)
    return packer.compress(head) + b"".join(packer.compress(chunk) for _ in range(64)) + packer.flush()


def bomb(name: str, declared: int | None) -> bytes:
    """A package with a small payload that unpacks to very much, all digests right."""
    size = None if declared is None else (Kind.INT32, [declared])
    zeros = File("zeros", b"", size=ZEROS)
    packed = packed_zeros(name)
    return write(
        replace(
            SOURCE,
            files=(zeros,),
            compressor=name,
            signature={Sig.PAYLOADSIZE: size},
            packed=lambda _data: packed,
        )
    )


def large_dictionary() -> bytes:
    """An lzma payload that asks for a dictionary of 1 GiB."""
    return write(replace(SOURCE, compressor="lzma", packed=lambda data: data[:1] + b"\0\0\0\x40" + data[5:]))


def many_files(count: int) -> bytes:
    return write(replace(SOURCE, files=tuple(File(f"f{i}") for i in range(count))))


def long_list(count: int) -> bytes:
    return write(replace(SOURCE, tags={Tag.REQUIRENAME: (Kind.STRING_ARRAY, [""] * count)}))


def many_tags(count: int) -> bytes:
    return write(replace(SOURCE, tags={20_000 + i: (Kind.STRING, ["x"]) for i in range(count)}))


CASES: dict[str, Callable[[], bytes]] = {
    "header claims 1 GiB": lambda: claim(main_header(), 60, 1 << 30),
    "header claims 2^32 - 1 entries": lambda: claim(main_header(), 0xFFFFFFFF, 64),
    "signature claims 1 GiB": lambda: claim(96, 7, 1 << 30),
    "signature claims 2^28 entries": lambda: claim(96, 1 << 28, 64),
    "250000 empty strings": lambda: long_list(250_000),
    "2 million empty strings": lambda: long_list(2_000_000),
    "2000 tags": lambda: many_tags(2000),
    "60000 tags": lambda: many_tags(60_000),
    "30000 files": lambda: many_files(30_000),
    **{f"{name} bomb": partial(bomb, name, ZEROS + 512) for name in BOMBS},
    **{f"{name} bomb, silent": partial(bomb, name, None) for name in BOMBS},
    "lzma dictionary of 1 GiB": large_dictionary,
    "gzip bomb that understates": lambda: bomb("gzip", 4096),
}


def probe(path: Path) -> tuple[str, int, str]:
    """Verdict, peak memory in bytes of the process or its child, and the line."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, path], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    verdict, used, seconds, detail = done.stdout.rstrip("\n").split("\t")
    sys.stdout.write(f"{path.name}: {seconds} s, {int(used) >> 20} MiB: {detail}\n")
    return verdict, int(used), detail


@pytest.mark.parametrize("name", CASES)
def test_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    if "zstd" in name and not Path("/usr/bin/zstd").exists():
        pytest.skip("zstd is not installed: apt-get install zstd")
    path = tmp_path / f"{name}.rpm"
    path.write_bytes(CASES[name]())
    verdict, used, detail = probe(path)
    assert verdict == "fail"
    assert "\n" not in detail
    assert used < MEMORY


@pytest.mark.parametrize("size", [300 << 20, 1 << 40])
def test_large_files_are_refused_unread(tmp_path: Path, size: int) -> None:
    path = tmp_path / "large.rpm"
    path.write_bytes(write(SOURCE))
    os.truncate(path, size)
    verdict, used, detail = probe(path)
    assert (verdict, "file.size" in detail) == ("fail", True)
    assert used < MEMORY
