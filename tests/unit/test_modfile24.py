"""The loader of 2.4 modules on the host, under ASan and UBSan: real objects linked, damaged ones refused."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from hamkit.run import run

from .ham_driver import SANITIZERS, SOURCE

BASE = 0xD0800000
HEADER = 96  # struct module, bytes
MODULE = r"""
/* A module as 2.4's headers make one, without them. */
#define INFO(name, text) static const char name[] __attribute__((section(".modinfo"), used)) = text
extern int printk(const char *format, ...);
extern int other_thing, maybe __attribute__((weak));
extern struct module __this_module;
INFO(version, "kernel_version=2.4.13");
INFO(number_kind, "parm_number=i");
INFO(bytes_kind, "parm_bytes=2-4b");
INFO(names_kind, "parm_names=1-3s");
INFO(odd_kind, "parm_odd=1q");
int number = 7, odd, common_one;
unsigned char bytes[4] = { 1, 2, 3, 4 };
char *names[3];
static int *pointer = &number;
void *self = &__this_module;
int init_module(void) { printk("hello %d\n", *pointer + other_thing + common_one); return maybe; }
void cleanup_module(void) { printk("bye\n"); }
"""
SYMBOLS = "c0110000 0 printk\nd0700100 d0700000 other_thing\n"


@pytest.fixture(scope="session")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    target = tmp_path_factory.mktemp("modfile") / "driver"
    sources = [SOURCE / "proof" / "modfile24.c", SOURCE / "tests" / "modfile_driver.c"]
    flags = ["-std=gnu99", "-O1", "-g", "-Wall", "-Wextra", "-Wshadow", "-Werror", *SANITIZERS.split()]
    run(["gcc", *flags, f"-I{SOURCE / 'proof'}", *sources, "-o", target])
    return target


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module of ours, compiled for i386."""
    folder = tmp_path_factory.mktemp("module")
    (folder / "m.c").write_text(MODULE)
    flags = ["-m32", "-ffreestanding", "-fno-pic", "-fcommon", "-O1", "-fno-stack-protector"]
    try:
        run(["gcc", *flags, "-fcf-protection=none", "-c", folder / "m.c", "-o", folder / "m.o"])
    except Exception as bad:  # noqa: BLE001 - whatever this gcc lacks
        pytest.skip(f"gcc makes no i386 objects: {bad}")
    return folder / "m.o"


def link(
    linker: Path, module: Path, out: Path, *parameters: str, symbols: str = SYMBOLS
) -> subprocess.CompletedProcess[str]:
    argv = [str(linker), str(module), f"{BASE:x}", "thing", str(out), *parameters]
    return subprocess.run(argv, input=symbols, capture_output=True, text=True, check=False, timeout=60)


class Image:
    """What would be given to the kernel."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def word(self, offset: int) -> int:
        value: int = struct.unpack_from("<I", self.raw, offset)[0]
        return value

    def at(self, address: int, size: int) -> bytes:
        assert BASE <= address <= BASE + len(self.raw) - size
        return self.raw[address - BASE : address - BASE + size]

    def text(self, address: int) -> str:
        return self.raw[address - BASE :].split(b"\0", 1)[0].decode()


def addresses(linked: Image, module: Path) -> dict[str, int]:
    """Where variables lie: found through the one that points at itself and the order of the object's."""
    lines = run(["nm", module]).stdout.splitlines()
    return {words[2]: int(words[0], 16) for words in (line.split() for line in lines) if len(words) == 3}


def linked(linker: Path, module: Path, tmp_path: Path, *parameters: str) -> Image:
    done = link(linker, module, tmp_path / "image", *parameters)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("kernel_version 2.4.13\nusing_checksums -\n")
    return Image((tmp_path / "image").read_bytes())


def test_the_head_of_the_image(linker: Path, module: Path, tmp_path: Path) -> None:
    image = linked(linker, module, tmp_path)
    assert image.word(0) == HEADER
    assert image.text(image.word(8)) == "thing"
    assert image.word(12) == len(image.raw)
    assert image.word(28) == 1, "one module is used"
    assert struct.unpack("<III", image.at(image.word(36), 12)) == (0xD0700000, 0, 0)
    for place in (44, 48):
        assert BASE + HEADER < image.word(place) < BASE + len(image.raw)


def test_code_calls_and_data_points_where_it_should(linker: Path, module: Path, tmp_path: Path) -> None:
    image = linked(linker, module, tmp_path)
    code = image.at(image.word(44), 80)
    call = code.index(0xE8)
    target = image.word(44) + call + 5 + struct.unpack_from("<i", code, call + 1)[0]
    assert target & 0xFFFFFFFF == 0xC0110000
    assert struct.pack("<I", BASE) in image.raw[HEADER:], "__this_module is the head of the image"
    assert struct.pack("<I", 0xD0700100) in code


def test_parameters_of_every_kind(linker: Path, module: Path, tmp_path: Path) -> None:
    image = linked(linker, module, tmp_path, "number=-2", "bytes=0x10,255,1", "names=a+1,,b:rw")
    assert struct.pack("<i", -2) in image.raw
    assert b"\x10\xff\x01\x04" in image.raw
    places = [image.raw.rfind(text) for text in (b"a+1\0\0b:rw\0",)]
    pointers = struct.pack("<III", *(BASE + places[0] + shift for shift in (0, 4, 5)))
    assert pointers in image.raw


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("nosuch=1", "has no parameter nosuch"),
        ("number", "not NAME=VALUE: number"),
        ("=1", "not NAME=VALUE: =1"),
        ("number=", "not a number: "),
        ("number=12x", "not a number: 12x"),
        ("number=99999999999", "not a number: 99999999999"),
        ("number=1,2", "number takes 1 values at most"),
        ("bytes=1", "bytes takes 2 values at least"),
        ("bytes=1,2,3,4,5", "bytes takes 4 values at most"),
        ("odd=1", "parameter odd is of an unknown kind: 1q"),
        ("init_module=1", "has no parameter init_module"),
        ("x" * 100 + "=1", "not NAME=VALUE"),
    ],
)
def test_wrong_parameters_are_named(
    linker: Path, module: Path, tmp_path: Path, parameter: str, reason: str
) -> None:
    done = link(linker, module, tmp_path / "image", parameter)
    assert done.returncode == 1, done.stderr
    assert reason in done.stdout
    assert not (tmp_path / "image").exists()


def test_everything_unresolved_is_named_at_once(linker: Path, module: Path, tmp_path: Path) -> None:
    done = link(linker, module, tmp_path / "image", symbols="c0110000 0 printk_R12345678\n")
    assert done.returncode == 1
    assert "unresolved symbols: " in done.stdout
    assert set(done.stdout.strip().splitlines()[-1].split(": ")[1].split()) == {"printk", "other_thing"}


def test_what_is_no_module_is_refused(linker: Path, module: Path, tmp_path: Path) -> None:
    shutil.copy(linker, tmp_path / "program")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("no module\n" * 20)
    for name in ("program", "empty", "text"):
        done = link(linker, tmp_path / name, tmp_path / "image")
        assert done.returncode == 1, done.stderr
        assert "not an object file for i386" in done.stdout


def test_damaged_objects_are_refused_or_linked_but_never_more(
    linker: Path, module: Path, tmp_path: Path
) -> None:
    """Bytes changed, cut and repeated: the sanitizers stop the driver when it reads or writes elsewhere."""
    whole = module.read_bytes()
    chance = random.Random(24)
    verdicts = set()
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            place = chance.choice([chance.randrange(len(raw)), chance.randrange(52), table(whole, chance)])
            raw[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
        if chance.random() < 0.2:
            del raw[chance.randrange(len(raw)) :]
        (tmp_path / "damaged.o").write_bytes(raw)
        done = link(linker, tmp_path / "damaged.o", tmp_path / "image", "number=3", "names=x,y")
        assert done.returncode in (0, 1), done.stderr
        assert not done.stderr
        verdicts.add(done.stdout.strip().splitlines()[-1].split(":")[0])
    assert len(verdicts) > 6


def table(raw: bytes, chance: random.Random) -> int:
    """A byte of the section table or of a symbol."""
    start = struct.unpack_from("<I", raw, 32)[0]
    return chance.randrange(min(start, len(raw) - 1), len(raw))
