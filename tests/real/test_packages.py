"""Source RPMs of every distribution by the real rpmbuild, in images of its own or in its style.

Each is held against every distribution's rpm; rpmlint finds nothing that ``ci/rpmlint.toml`` does not
explain; the kernel patches are unpacked, and applied as their README says.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import scenarios, specs
from hamkit.build.engine import Engine, Job
from hamkit.build.image import Image
from hamkit.build.kernel24.toolchain import known_toolchains
from hamkit.courses.distribution import KernelRpmPipeline, PatchPipeline, Pipeline, Request
from hamkit.courses.linux24 import TreePipeline, TreeRequest
from hamkit.errors import Failure, MissingNeed, UserError
from hamkit.files import cache_root, project_root, sha256_file
from hamkit.kernel.source import open_source
from hamkit.progress import Quiet
from hamkit.prove.rpm import CheckRequest, check
from hamkit.render.series import check_tree
from hamkit.rpmfiles import extract_rpm, read_package
from hamkit.rpmfiles.tags import Tag
from hamkit.run import find, run
from hamkit.stage import Verdict

KNOWN = specs.load_all()
STYLES = [name for name, spec in KNOWN.items() if spec.image.style_base]
LINE_24 = [name for name, spec in KNOWN.items() if spec.distribution.line == "2.4"]
MAINLINE = [name for name in KNOWN if name not in LINE_24]
PACKED = [*STYLES, "debian-12"]  # whose images the other real tests do not need anyway
FILTERS = project_root() / "ci" / "rpmlint.toml"


def pipeline_of(name: str) -> Pipeline:
    return Pipeline(Request(KNOWN[name], scenarios.load(), keep=True), Quiet())


class Sources:
    """The source RPM of each distribution, made when it is first asked for."""

    def __init__(self) -> None:
        self.runs: dict[str, Pipeline] = {}

    def __getitem__(self, name: str) -> Path:
        return self.run(name).srpm.path

    def run(self, name: str) -> Pipeline:
        return self.runs.setdefault(name, pipeline_of(name))


@pytest.fixture(scope="module")
def sources(engine: Engine) -> Sources:
    return Sources()


@pytest.fixture(scope="module")
def patches(engine: Engine) -> PatchPipeline:
    """The kernel patches of Red Hat 7.1 for the kernel that it is based on."""
    tree = cache_root() / "kernels" / "linux-2.4.2"
    if not tree.is_dir():
        pytest.skip(f"no kernel tree {tree}: see CONTRIBUTING.md")
    try:
        find("spatch", "coccinelle")
    except MissingNeed as missing:
        pytest.skip(str(missing))
    made = PatchPipeline(
        Request(KNOWN["rh71"], scenarios.load(), keep=True), Quiet(), source=open_source(str(tree))
    )
    assert made.srpm
    return made


def reasons(path: Path, name: str) -> set[str]:
    return {f.rule for f in check(CheckRequest(path, KNOWN[name]), Quiet()).failures}


@pytest.mark.parametrize("name", PACKED)
def test_it_suits_its_own_distribution_and_the_real_rpm(sources: Sources, name: str) -> None:
    result = sources.run(name).checked
    assert result.stage.verdict is Verdict.PASS, result.stage.detail
    assert {"real.verify", "real.query", "real.list"} <= {f.rule for f in result.findings}


@pytest.mark.parametrize("name", PACKED)
def test_it_is_the_same_bytes_again(sources: Sources, name: str) -> None:
    """Packed once more in the image that is there: renewing it all would install it anew."""
    first = sources.run(name)
    second = Pipeline(replace(first.request, renew=True), Quiet())
    second.__dict__["image"] = first.image
    assert not second.srpm.stage.cached
    assert sha256_file(second.srpm.path) == sha256_file(first.srpm.path)


@pytest.mark.parametrize("name", LINE_24)
def test_what_is_new_is_refused_by_the_rpm_of_then(sources: Sources, name: str) -> None:
    wanted = {"files.digest-algorithm", "depends.rpmlib", "package.arch", "source.spec-dialect"}
    assert reasons(sources["debian-12"], name) == wanted
    assert reasons(sources["el9"], name) == wanted | {"package.texts"}
    for zstd_or_xz in ("fedora", "opensuse-leap"):
        assert reasons(sources[zstd_or_xz], name) >= wanted | {"payload.compressor"}
    dialect = next(
        f
        for f in check(CheckRequest(sources["fedora"], KNOWN[name]), Quiet()).failures
        if f.rule == "source.spec-dialect"
    )
    assert "weak dependencies" in dialect.seen


@pytest.mark.parametrize("name", MAINLINE)
def test_what_is_of_then_is_refused_now(sources: Sources, name: str) -> None:
    """It is for other machines; and in FIPS mode its MD5 digests end in "Digest mismatch"."""
    fips = {"files.digest-fips"} if KNOWN[name].rpm.fips else set()
    for old in ("rh71", "rhel3"):
        assert reasons(sources[old], name) == {"package.arch"} | fips


@pytest.mark.parametrize("name", LINE_24)
def test_the_dialect_of_2001_suits_all_of_its_line(sources: Sources, name: str) -> None:
    assert reasons(sources["rh71"], name) == set()
    header = read_package(sources[name]).header
    assert header.string(Tag.ARCH) == "i386"


@pytest.mark.parametrize("name", [n for n in MAINLINE if n in PACKED])
def test_mainline_sources_suit_each_other(sources: Sources, name: str) -> None:
    assert {other: reasons(sources[name], other) for other in MAINLINE} == {n: set() for n in MAINLINE}


def test_an_image_in_the_style_of_71_has_its_rpm(sources: Sources, tmp_path: Path) -> None:
    """Also for a person in `invoke shell`, without any --define."""
    image = sources.run("rh71").image
    assert (image.base.kind, image.kernels) == ("style", {})
    assert "in the style of rh71" in image.base.origin
    asked = ("_topdir", "_source_payload", "_source_filedigest_algorithm", "_target_cpu", "_mandir")
    said = in_image(
        image, sources.run("rh71").engine, tmp_path, f"rpm --eval '{' '.join(f'%{n}' for n in asked)}'"
    )
    assert said.split() == ["/usr/src/redhat", "w9.gzdio", "1", "i386", "/usr/share/man"]
    with pytest.raises(MissingNeed, match=r"holds no kernel of Red Hat Linux 7\.1") as caught:
        image.release(None)
    assert "--tree" in caught.value.hint


def in_image(image: Image, engine: Engine, tmp_path: Path, script: str) -> str:
    job = Job(image.digest, ["sh", "-c", f"{script} > /job/out/said"], {}, tmp_path / "log", {})
    return engine.run(job, lambda _: None).files["said"].decode()


def test_without_a_kernel_tree_the_programs_are_built(sources: Sources) -> None:
    """As static i386 programs that a 2.4 kernel runs; no module, and the packages say so by their names."""
    made = sources.run("rh71").rpms
    assert [path.name.split("-0.1")[0] for path in made.paths] == ["ham", "ham-devel", "ham-proof"]
    assert "without modules" in made.stage.detail
    (hamctl,) = extract_rpm(made.paths[0], lambda name: name.endswith("hamctl")).values()
    assert hamctl[:5] == b"\x7fELF\x01", "32 bit"
    for path in made.paths:
        assert reasons(path, "rh71") == set()
        assert read_package(path).header.string(Tag.ARCH) == "i386"


@pytest.mark.kernels24
def test_modules_for_the_kernel_of_a_tree(sources: Sources) -> None:
    """Compiled by rpmbuild in the image, with a compiler of 2.4's time and the patched kernel's tree."""
    if not (cache_root() / "kernels" / "linux-2.4.13").is_dir() or not known_toolchains():
        pytest.skip("no linux-2.4.13 in the cache's kernels/, or no compiler in its toolchains/")
    trees = TreePipeline(TreeRequest("linux-2.4.13", keep=True), Quiet())
    first = sources.run("rh71")
    made = KernelRpmPipeline(first.request, Quiet(), trees=trees).rpms
    assert made.stage.detail == f"4 RPMs for {trees.kernel.release}"
    module = next(path for path in made.paths if path.name.startswith("kernel-module-ham-"))
    folder = f"/lib/modules/{trees.kernel.release}/kernel/drivers/ham"
    files = extract_rpm(module, lambda _: True)
    assert set(files) == {f"{folder}/{name}.o" for name in ("ham", "mhp_sim", "mhp_qemu")}
    built = {f"{folder}/{name}.o": content for name, content in trees.modules.content().items()}
    assert files == built, "the same modules as the proof boots"
    assert reasons(module, "rh71") == set()
    needs = read_package(module).header.strings(Tag.REQUIRENAME)
    assert f"/boot/vmlinuz-{trees.kernel.release}" in needs


def test_fedoras_akmod_holds_the_source_of_the_modules(sources: Sources, tmp_path: Path) -> None:
    made = sources.run("fedora").rpms
    akmod = next(path for path in made.paths if path.name.startswith("akmod-ham"))
    (inner,) = extract_rpm(akmod, lambda name: name.endswith(".src.rpm")).values()
    (tmp_path / "ham-kmod.src.rpm").write_bytes(inner)
    assert reasons(tmp_path / "ham-kmod.src.rpm", "fedora") == set()
    assert set(extract_rpm(tmp_path / "ham-kmod.src.rpm", lambda _: True)) == {
        "ham-kmod.spec",
        f"ham-{_version()}.tar.gz",
    }


def _version() -> str:
    return (project_root() / "ham-src" / "VERSION").read_text().strip()


def test_modules_for_a_kernel_need_that_kernel(sources: Sources) -> None:
    with pytest.raises(MissingNeed, match="Enterprise Linux 9 in style only"):
        sources.run("el9").rpms  # noqa: B018 - asking builds it


def test_a_userland_of_the_users_is_the_base_from_then_on(engine: Engine, tmp_path: Path) -> None:
    """A tar of any root file system with rpm will do; the next run finds it without being told."""
    base = KNOWN["rh72"]
    spec = base.model_copy(
        update={"distribution": base.distribution.model_copy(update={"name": "rh72-test"})}
    )
    with pytest.raises(UserError, match="cannot read"):
        Pipeline(Request(spec, scenarios.load(), keep=True, userland=tmp_path / "no.tar"), Quiet()).image  # noqa: B018
    (tmp_path / "bad.tar").write_bytes(b"no archive at all")
    with pytest.raises(UserError, match="is no root file system"):
        Pipeline(Request(spec, scenarios.load(), keep=True, userland=tmp_path / "bad.tar"), Quiet()).image  # noqa: B018
    with tarfile.open(tmp_path / "norpm.tar", "w") as archive:
        archive.add("/bin/true", "bin/sh")
    with pytest.raises(Failure, match="did not build"):
        Pipeline(Request(spec, scenarios.load(), keep=True, userland=tmp_path / "norpm.tar"), Quiet()).image  # noqa: B018
    assert not [name for name in engine.our_images() if name.startswith("hamkit/rh72-test")], "not kept"
    container = engine.api.create_container(pipeline_of("debian-12").image.digest, ["true"])
    tar = tmp_path / "userland.tar"
    with tar.open("wb") as stream:
        stream.writelines(engine.api.export(container))
    engine.remove(container["Id"])
    try:
        made = Pipeline(Request(spec, scenarios.load(), keep=True, userland=tar), Quiet()).image
        assert made.base.kind == "userland"
        assert sha256_file(tar) in made.base.origin
        assert made.packages.read_text() == "", "Debian's rpm has installed nothing"
        found = Pipeline(Request(spec, scenarios.load(), keep=True), Quiet()).image
        assert (found.digest, found.stage.cached) == (made.digest, True)
    finally:
        engine.remove_images([name for name in engine.our_images() if name.startswith("hamkit/rh72-test")])


def filters() -> list[str]:
    found: list[str] = tomllib.loads(FILTERS.read_text())["Filters"]
    return found


def lint(path: Path, config: Path | None = None) -> list[str]:
    """Findings of rpmlint on one package, without what ``config`` takes out."""
    words = ["--config", str(config)] if config else []
    done = run(["rpmlint", *words, str(path)], package="rpmlint", check=False)
    return re.findall(r"^\S+ [EW]: .*$", done.stdout, re.MULTILINE)


def test_rpmlint_finds_what_is_explained_and_nothing_else(
    sources: Sources, patches: PatchPipeline, tmp_path: Path
) -> None:
    packages = [sources[name] for name in PACKED]
    packages.append(patches.srpm.path)
    every = [line for path in packages for line in lint(path)]
    left = [line for line in every if not any(re.search(each, line) for each in filters())]
    assert left == []
    assert [line for path in packages for line in lint(path, config=FILTERS)] == []
    unused = [each for each in filters() if not any(re.search(each, line) for line in every)]
    assert unused == [], "an exception for nothing"


def test_every_exception_is_explained() -> None:
    lines = FILTERS.read_text().split("Filters = [\n")[1].splitlines()
    for number, line in enumerate(lines):
        if line.strip().startswith('"'):
            assert lines[number - 1].strip().startswith(("#", '"')), line


def unpacked(patches: PatchPipeline, folder: Path) -> Path:
    """The tree, and beside it what the binary package installs below /usr/src."""
    raw = patches.rpms.paths
    assert len(raw) == 1
    for name, content in extract_rpm(raw[0], lambda _: True).items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tree = folder / "usr/src/linux-2.4"
    shutil.copytree(patches.source.root, tree, symlinks=True)
    return tree


def commands(text: str, after: str, count: int, folder: Path) -> str:
    """The ``count`` indented lines of the README after a phrase, with /usr/src put below a folder."""
    lines = text.split(after, 1)[1].splitlines()
    block = [line.strip() for line in lines if line.startswith("       ")][:count]
    return "set -e\n" + "\n".join(block).replace("/usr/src", str(folder / "usr/src"))


def shell(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)


def test_patches_apply_as_their_readme_says(patches: PatchPipeline, tmp_path: Path) -> None:
    tree = unpacked(patches, tmp_path)
    readme = next((tmp_path / "usr/share/doc").glob("*/README")).read_text()
    done = shell(commands(readme, "2. Apply", 4, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "fuzz" not in done.stdout
    series = tmp_path / "usr/src" / f"ham-kernel-patch-{_version()}"
    shutil.copy(series / "manifest.json", series / "patches")
    with pytest.raises(UserError, match="is applied to"):
        check_tree(series / "patches", tree)
    config = (series / "config").read_text()
    assert "CONFIG_MEM_HOTADD=y\n" in config
    assert "CONFIG_HIGHMEM4G=y\n" in config, "2.4.2 loses data with PAE, see `invoke facts`"


def test_quilt_takes_the_series(patches: PatchPipeline, tmp_path: Path) -> None:
    try:
        find("quilt", "quilt")
    except MissingNeed as missing:
        pytest.skip(str(missing))
    tree = unpacked(patches, tmp_path)
    readme = next((tmp_path / "usr/share/doc").glob("*/README")).read_text()
    done = shell(commands(readme, "or, with quilt:", 3, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tree / "include/linux/mem_hotadd.h").is_file()
    undone = shell(f"cd {tree} && quilt pop -a")
    assert undone.returncode == 0, undone.stderr
    assert not (tree / "include/linux/mem_hotadd.h").exists()


def test_the_patches_of_one_tree_are_refused_for_another(patches: PatchPipeline, tmp_path: Path) -> None:
    other = cache_root() / "kernels" / "linux-2.4.3"
    if not other.is_dir():
        pytest.skip(f"no kernel tree {other}")
    unpacked(patches, tmp_path)
    series = tmp_path / "usr/src" / f"ham-kernel-patch-{_version()}"
    shutil.copy(series / "manifest.json", series / "patches")
    with pytest.raises(UserError, match="rendered for another tree"):
        check_tree(series / "patches", other)


def test_patches_suit_their_distribution(patches: PatchPipeline) -> None:
    assert patches.checked.stage.verdict is Verdict.PASS
    assert read_package(patches.srpm.path).nvr.startswith(f"ham-kernel-patch-{_version()}-1_2.4.2.7.1")


def test_a_tree_that_cannot_be_patched_makes_no_package(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("VERSION = 2\nPATCHLEVEL = 4\nSUBLEVEL = 99\nEXTRAVERSION =\n")
    request = Request(KNOWN["rh71"], scenarios.load(), keep=True)
    made = PatchPipeline(request, Quiet(), source=open_source(str(tmp_path)))
    with pytest.raises(UserError):
        made.rendered  # noqa: B018
