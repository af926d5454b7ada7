"""The series on real trees: rendered, applied by patch, quilt and git, the same bytes every time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hamkit import run
from hamkit.build.kernel24.build import KernelRequest, build_kernel
from hamkit.build.kernel24.toolchain import find_toolchain, known_toolchains
from hamkit.errors import UserError
from hamkit.files import cache_root, sha256_tree
from hamkit.kernel.facts import probe
from hamkit.kernel.source import open_source
from hamkit.progress import Quiet
from hamkit.render.series import SeriesRequest, SeriesResult, check_tree, render_series, unsupported
from hamkit.render.series.misses import SeriesMiss

pytestmark = [
    pytest.mark.kernels24,
    pytest.mark.skipif(shutil.which("spatch") is None, reason="spatch: apt-get install coccinelle"),
]
# One of each generation: what the others differ in is no matter of the series.
COVERED = (
    "linux-2.4.2",
    "linux-2.4.9",
    "linux-2.4.13",
    "linux-2.4.20",
    "linux-2.4.31",
    "rh80-2.4.18-14",
    "rhel3-2.4.21-63",
)
FOUND = sorted(path.name for path in (cache_root() / "kernels").glob("*") if (path / "Makefile").is_file())


def tree(name: str) -> Path:
    path = cache_root() / "kernels" / name
    if not (path / "Makefile").is_file():
        pytest.skip(f"no kernel tree {path}: unpack one there")
    return path


def sparse(source: Path, series: SeriesResult, target: Path) -> Path:
    """The files of a tree that a series touches, as a tree of their own."""
    for path in touched(series):
        if (source / path).is_file():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, target / path)
    return target


def touched(series: SeriesResult) -> set[str]:
    text = "".join(path.read_text(encoding="latin-1") for path in series.patches)
    return {line.split(" b/")[1] for line in text.splitlines() if line.startswith("diff --git ")}


@pytest.fixture(scope="module", params=COVERED)
def source(request: pytest.FixtureRequest) -> Path:
    return tree(request.param)


@pytest.fixture(scope="module")
def rendered(source: Path, tmp_path_factory: pytest.TempPathFactory) -> SeriesResult:
    return render_series(SeriesRequest(source, tmp_path_factory.mktemp("series") / "out", 96), Quiet())


@pytest.fixture
def patched(rendered: SeriesResult, source: Path, tmp_path: Path) -> Path:
    """The touched files as GNU patch leaves them, without fuzz."""
    target = sparse(source, rendered, tmp_path / "patched")
    for path in rendered.patches:
        done = run.run(["patch", "-p1", "--fuzz=0", "-i", path], cwd=target)
        assert "offset" not in done.stdout
    return target


def test_rendering_again_gives_the_same_bytes(rendered: SeriesResult, source: Path, tmp_path: Path) -> None:
    render_series(SeriesRequest(source, tmp_path / "again", 96), Quiet())
    assert sha256_tree(tmp_path / "again") == sha256_tree(rendered.folder)


def test_the_tree_stays_as_it_was(rendered: SeriesResult, source: Path) -> None:
    check_tree(rendered.folder, source)
    assert not (source / "include/linux/mem_hotadd.h").exists()


def test_patch_applies_it_and_the_check_sees_it(rendered: SeriesResult, patched: Path) -> None:
    with pytest.raises(UserError, match="applied"):
        check_tree(rendered.folder, patched)


def test_quilt_and_git_give_what_patch_gives(
    rendered: SeriesResult, source: Path, patched: Path, tmp_path: Path
) -> None:
    wanted = sha256_tree(patched)
    quilted = sparse(source, rendered, tmp_path / "quilted")
    if shutil.which("quilt") is None:
        pytest.skip("quilt: apt-get install quilt")
    run.run(["quilt", "push", "-a"], cwd=quilted, env={"QUILT_PATCHES": str(rendered.folder)})
    shutil.rmtree(quilted / ".pc")
    assert sha256_tree(quilted) == wanted

    cloned = sparse(source, rendered, tmp_path / "cloned")
    who = ["-c", "user.name=tester", "-c", "user.email=tester@localhost", "-c", "core.autocrlf=false"]
    run.run(["git", "init", "-q", cloned])
    run.run(["git", "-C", cloned, "add", "-Af"])
    run.run(["git", "-C", cloned, *who, "commit", "-qm", "stock"])
    run.run(["git", "-C", cloned, *who, "am", "-q", *rendered.patches])
    subjects = run.run(["git", "-C", cloned, "log", "--format=%s|%an|%aI"]).stdout.splitlines()
    assert len(subjects) == len(rendered.patches) + 1
    assert subjects[-2].endswith("|hamkit|2001-11-01T00:00:00+00:00")
    shutil.rmtree(cloned / ".git")
    assert sha256_tree(cloned) == wanted


def test_another_tree_is_detected(rendered: SeriesResult, source: Path, tmp_path: Path) -> None:
    other = sparse(source, rendered, tmp_path / "other")
    with (other / "mm" / "page_alloc.c").open("a") as stream:
        stream.write("/* changed */\n")
    with pytest.raises(UserError, match=r"another tree: mm/page_alloc\.c differs"):
        check_tree(rendered.folder, other)


def test_the_reserve_is_the_option_s_default(patched: Path) -> None:
    text = (patched / "arch/i386/config.in").read_text(encoding="latin-1")
    assert "CONFIG_MEM_HOTADD_RESERVE 96" in text


def test_all_misses_at_once_and_nothing_is_written(source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(source, broken, ignore=shutil.ignore_patterns("drivers", "net", "sound", "fs"))
    for name, old, new in (
        ("mm/page_alloc.c", "show_free_areas_core(pgdat_list)", "show_free_areas_core(first)"),
        ("arch/i386/mm/Makefile", "obj-y", "obj-yy"),
    ):
        text = (broken / name).read_text(encoding="latin-1")
        assert old in text
        (broken / name).write_text(text.replace(old, new), encoding="latin-1")
    with pytest.raises(SeriesMiss) as caught:
        render_series(SeriesRequest(broken, tmp_path / "out"), Quiet())
    assert {miss.file for miss in caught.value.misses} == {"mm/page_alloc.c", "arch/i386/mm/Makefile"}
    assert any("show_free_areas" in line for miss in caught.value.misses for line in miss.candidates)
    assert not (tmp_path / "out").exists()


def test_without_the_option_memory_management_is_the_stock_kernel_s(
    rendered: SeriesResult, source: Path, tmp_path: Path
) -> None:
    if not known_toolchains():
        pytest.skip(f"no compiler for 2.4: put a gcc 2.95 for i386 below {cache_root()}/toolchains/NAME/bin")
    trees = [tmp_path / name / "linux" for name in ("stock", "patched")]
    for root in trees:
        shutil.copytree(source, root, symlinks=True)
    for path in rendered.patches:
        run.run(["patch", "-p1", "--fuzz=0", "-s", "-i", path], cwd=trees[1])
    for root in trees:
        without_line_numbers(root)
    toolchain = find_toolchain()
    stock, patched = (
        build_kernel(KernelRequest(open_source(root), toolchain), Quiet()).objects / "mm" for root in trees
    )
    names = {path.name for path in stock.glob("*.o")}
    assert {"page_alloc.o", "vmscan.o", "highmem.o", "memory.o"} <= names
    for name in sorted(names):
        assert code(patched / name, tmp_path) == code(stock / name, tmp_path), name


def without_line_numbers(root: Path) -> None:
    """BUG() and its like tell the line they are in, and a patch moves lines."""
    for path in (root / "include" / "asm-i386").glob("*.h"):
        text = path.read_text(encoding="latin-1")
        path.write_text(text.replace("__LINE__", "0"), encoding="latin-1")


def code(path: Path, scratch: Path) -> tuple[list[bytes], str]:
    """Sections and relocations of an object."""
    sections = []
    for name in (".text", ".text.init", ".data", ".data.init", ".rodata"):
        out = scratch / "section"
        run.run(["objcopy", "-O", "binary", f"--only-section={name}", path, out])
        sections.append(out.read_bytes())
    return sections, "".join(run.run(["objdump", "-r", path]).stdout.splitlines(keepends=True)[2:])


@pytest.mark.parametrize("name", FOUND or ["linux-2.4.13"])
def test_every_tree_takes_the_series_or_says_why_not(name: str, tmp_path: Path) -> None:
    source = tree(name)
    reasons = unsupported(probe(source))
    if reasons:
        with pytest.raises(UserError, match=re.escape(reasons[0])):
            render_series(SeriesRequest(source, tmp_path / "out"), Quiet())
        return
    series = render_series(SeriesRequest(source, tmp_path / "out"), Quiet())
    patched = sparse(source, series, tmp_path / "patched")
    for path in series.patches:
        done = run.run(["patch", "-p1", "--fuzz=0", "-i", path], cwd=patched)
        assert "offset" not in done.stdout
    with pytest.raises(UserError, match="applied"):
        check_tree(series.folder, patched)
