"""Real Linux 2.4 trees: probed, built with a compiler of their time, booted in QEMU.

They lie below ``kernels/`` and ``toolchains/`` in the cache (``~/.cache/ham``); what is not there is skipped.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hamkit.build.kernel24.build import Flavour, Kernel, KernelRequest, build_kernel
from hamkit.build.kernel24.toolchain import Toolchain, find_toolchain, known_toolchains
from hamkit.errors import Failure
from hamkit.files import cache_root, project_root
from hamkit.kernel.config import parse
from hamkit.kernel.facts import probe
from hamkit.kernel.source import open_source, tree_digest
from hamkit.progress import Quiet
from hamkit.prove.initramfs import folder, program
from hamkit.prove.iso import ROOT, SEVERAL, Disc, DiscMachine, write_iso
from hamkit.run import run

pytestmark = pytest.mark.kernels24

TREES = cache_root() / "kernels"
FOUND = sorted(path.name for path in TREES.glob("linux-2.4.*"))
GUEST_CC = "i386-linux-musl-gcc"
MEMORY = 1536 << 20
# Where the line's generations differ, by tree: as read in the sources by eye.
GENERATIONS = {
    "linux-2.4.2": {
        "page_zone": "pointer",
        "zone_start": "offset",
        "zonelists": 256,
        "zonelist_gfp_mask": True,
        "alloc_arguments": "zonelist order",
        "alloc_entry": "alloc_pages",
        "kswapd": "kreclaimd",
        "page_to_phys": "none",
        "maxmem": "setup_arch",
        "one_dash_oformat": True,
        "pae_top_level": "empty_page",
        "likely": False,
    },
    "linux-2.4.13": {
        "page_zone": "pointer",
        "page_wait": "page",
        "page_virtual": "always",
        "lru_init": "free_area_init_core",
        "zone_start": "zone_start_mapnr",
        "zone_walk": "pgdat_list",
        "memclass": "same_pgdat",
        "watermarks": "fields",
        "zonelists": 16,
        "alloc_arguments": "gfp_mask order zonelist",
        "alloc_order": "unsigned int",
        "page_to_phys": "32",
        "pci_mem_map": 2,
        "kmap": "inline",
        "mem_init": "in_place",
        "maxmem": "setup_arch",
        "pkmap_base": "fe000000",
        "boot_protocol": "0202",
        "scan_unbounded": True,
        "discarded_exit": True,
    },
    "linux-2.4.20": {
        "page_zone": "zone_table",
        "zone_table_exported": True,
        "page_wait": "zone",
        "page_virtual": "conditional",
        "lru_init": "static",
        "zone_walk": "for_each_zone",
        "page_to_phys": "u64",
        "mem_init": "split",
        "maxmem": "page.h",
        "try_to_free_zonelist": True,
        "boot_protocol": "0203",
        "discarded_exit": False,
    },
    "linux-2.4.31": {
        "memclass": "zone_idx",
        "watermarks": "array",
        "kmap": "macro",
        "pkmap_base": "ff800000",
        "alloc_fastcall": True,
        "free_buffer_first_zone": True,
    },
    "linux-2.4.21-63.EL": {
        "memclass": "none",
        "pte_chain": True,
        "lru_lists": "zone",
        "lru_init": "zone",
        "per_cpu_lists": True,
        "max_order": 11,
        "pfn_macros": True,
        "zone_wired": True,
        "highpte_forced": True,
        "gcc3_flags": True,
        "pkmap_base": "ff000000",
    },
    "linux-2.4.18-14custom": {
        "page_zone": "zone_table",
        "memclass": "none",
        "lru_lists": "zone",
        "watermarks": "fields",
        "built_objects": True,
        "search_dirs": True,
    },
}


def tree(name: str) -> Path:
    """A tree in the cache, or the reason why the test is skipped."""
    if not (TREES / name).is_dir():
        pytest.skip(f"no kernel tree {name}: unpack one to {TREES / name}")
    return TREES / name


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    if not known_toolchains():
        pytest.skip(f"no compiler for 2.4: put a gcc 2.95 for i386 below {cache_root()}/toolchains/NAME/bin")
    return find_toolchain()


@pytest.fixture(scope="module")
def kernel(toolchain: Toolchain) -> Kernel:
    """2.4.13 with PAE, from the cache if it was built before."""
    source = open_source(tree("linux-2.4.13"))
    return build_kernel(KernelRequest(source, toolchain), Quiet())


@pytest.mark.parametrize("name", GENERATIONS)
def test_generations(name: str) -> None:
    facts = probe(tree(name))
    assert facts.unsupported == ()
    assert {key: facts[key] for key in GENERATIONS[name]} == GENERATIONS[name]


@pytest.mark.parametrize("name", FOUND or ["linux-2.4.13"])
def test_every_fact_points_at_its_evidence(name: str) -> None:
    path = tree(name)
    facts = probe(path)
    assert facts.unsupported == ()
    for fact in facts.facts.values():
        if fact.line:
            lines = (path / fact.file).read_text(encoding="latin-1").splitlines()
            assert 0 < fact.line <= len(lines)
            assert lines[fact.line - 1].strip(), fact


def test_the_tree_is_left_as_it_was(kernel: Kernel) -> None:
    source = tree("linux-2.4.13")
    assert f"sha256:{tree_digest(source)}" == kernel.stage.inputs["tree"]
    assert not (source / ".config").exists()
    assert not (source / "include" / "asm").exists()


def test_the_configuration_is_what_was_asked(kernel: Kernel) -> None:
    effective = parse(kernel.config.read_text())
    assert effective["CONFIG_X86_PAE"] == "y"
    assert Flavour().requested().merged(effective) == effective


def test_two_builds_in_two_places_are_the_same(
    kernel: Kernel, toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(tree("linux-2.4.13"))
    monkeypatch.setenv("HAM_CACHE", str(tmp_path / "elsewhere"))
    again = build_kernel(KernelRequest(source, toolchain, jobs=1), Quiet())
    for name in ("vmlinux", "bzImage", "System.map"):
        assert (again.folder / name).read_bytes() == (kernel.folder / name).read_bytes(), name
    assert str(tmp_path).encode() not in again.vmlinux.read_bytes()
    objects = {path.relative_to(kernel.objects): path.read_bytes() for path in kernel.objects.rglob("*.o")}
    assert Path("mm/page_alloc.o") in objects
    assert objects == {path: (again.objects / path).read_bytes() for path in objects}


@pytest.fixture(scope="module")
def init(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The guest's init, a static i386 program."""
    if shutil.which(GUEST_CC) is None:
        pytest.skip(f"no {GUEST_CC}: dpkg --add-architecture i386, then apt-get install musl-dev:i386")
    source = project_root() / "tests" / "data" / "kernel" / "init24.c"
    target = tmp_path_factory.mktemp("init") / "init"
    run([GUEST_CC, "-static", "-Os", "-Wall", "-Werror", "-o", target, source])
    return target.read_bytes()


def boot(kernel: Kernel, init: bytes, folder_: Path, cpus: int = 1) -> str:
    """What the guest says on its console."""
    files = {"/sbin/init": program(init), "/dev": folder(), "/proc": folder()}
    several = f" {SEVERAL}" if cpus > 1 else ""
    disc = Disc(kernel.image, f"console=ttyS0,115200 {ROOT} panic=1{several}", files)
    images = [write_iso(disc, folder_ / name) for name in ("a.iso", "b.iso")]
    assert images[0].read_bytes() == images[1].read_bytes()
    machine = DiscMachine(images[0], MEMORY, folder_ / "console", folder_ / "report", cpus=cpus)
    run(machine.argv(), package="qemu-system-x86", timeout=300)
    return (folder_ / "console").read_bytes().decode("latin-1")


@pytest.mark.qemu
def test_stock_kernel_boots_from_a_disc(kernel: Kernel, init: bytes, tmp_path: Path) -> None:
    console = boot(kernel, init, tmp_path)
    assert "hamkit: done" in console
    assert re.search(r"^release 2\.4\.13 version #1 Wed Oct 24 00:00:00 UTC 2001", console, re.MULTILINE)
    total = re.search(r"^MemTotal: +(\d+) kB", console, re.MULTILINE)
    assert total is not None
    assert MEMORY // 1024 * 0.97 < int(total[1]) < MEMORY // 1024
    assert re.search(r"^HighTotal: +[1-9]\d+ kB", console, re.MULTILINE)


@pytest.mark.qemu
def test_two_processors_and_a_module(toolchain: Toolchain, init: bytes, tmp_path: Path) -> None:
    source = open_source(tree("linux-2.4.20"))
    flavour = Flavour("4G", smp=True, options={"CONFIG_MINIX_FS": "m"})
    kernel = build_kernel(KernelRequest(source, toolchain, flavour), Quiet())
    assert [path.name for path in kernel.modules.iterdir()] == ["minix.o"]
    console = boot(kernel, init, tmp_path, cpus=2)
    assert "hamkit: done" in console
    assert re.search(r"^processor\s*: 1\b", console, re.MULTILINE)


def test_an_option_that_the_tree_does_not_take_is_named(toolchain: Toolchain) -> None:
    source = open_source(tree("linux-2.4.13"))
    flavour = Flavour(options={"CONFIG_NO_SUCH_THING": "y", "CONFIG_X86_PAE": "n"})
    with pytest.raises(Failure) as error:
        build_kernel(KernelRequest(source, toolchain, flavour), Quiet())
    assert "CONFIG_NO_SUCH_THING=y: this tree has no such option" in error.value.message
    assert "CONFIG_X86_PAE=n came out as y" in error.value.message
