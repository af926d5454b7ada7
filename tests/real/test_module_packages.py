"""Module packages of every convention, compiled for a real kernel: kmod, KMP, akmod and DKMS.

The distributions themselves cannot be had without a registry: Debian 12's kernel stands in for theirs
(``kernel.stand_in``), at the place where their packages look for it, and the modules boot with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import __version__, scenarios, specs
from hamkit.build import rpmbuild
from hamkit.build.engine import Engine, Job
from hamkit.build.image import Image
from hamkit.courses.distribution import Pipeline, Request
from hamkit.errors import UserError
from hamkit.model.scenario import AddStep, Machine, Scenario, UseStep
from hamkit.progress import Quiet
from hamkit.prove.boot import boot
from hamkit.prove.compare import compare
from hamkit.rpmfiles import extract_rpm, read_package
from hamkit.rpmfiles.tags import Tag
from hamkit.run import run
from hamkit.stage import Verdict

pytestmark = [pytest.mark.engine]

SHORT = Scenario("short", Machine(1 << 30, 1 << 28), (AddStep(0x10000000, 1 << 27), UseStep(1 << 24)))
DKMS = f"""set -e
rpm -i --nodeps --noscripts dkms-ham.rpm 2>/dev/null
dkms add -m ham -v {__version__}
dkms build -m ham -v {__version__} -k $RELEASE
dkms install -m ham -v {__version__} -k $RELEASE --force
dkms status > /job/out/installed
find /lib/modules/$RELEASE -name 'ham.ko*' -o -name 'mhp_sim.ko*' > /job/out/places
cp $(cat /job/out/places) /job/out
grep -c ham.ko /lib/modules/$RELEASE/modules.dep > /job/out/known
dkms remove -m ham -v {__version__} --all --rpm_safe_upgrade
dkms status > /job/out/removed
"""


class Stood:
    """One pipeline for each distribution, with a kernel that stands in for its own."""

    def __init__(self) -> None:
        self._runs: dict[str, Pipeline] = {}

    def __getitem__(self, name: str) -> Pipeline:
        asked = Request(specs.load(name), scenarios.load(), keep=True, stand_in=True)
        return self._runs.setdefault(name, Pipeline(asked, Quiet()))


@pytest.fixture(scope="module")
def stood(engine: Engine) -> Stood:
    return Stood()


def named(paths: tuple[Path, ...], name: str) -> Path:
    """The package of a name; the others' names begin otherwise."""
    (found,) = [p for p in paths if re.match(rf"{re.escape(name)}-\d", p.name)]
    return found


def release_of(image: Image) -> str:
    (release,) = image.kernels.values()
    return release


def files_of(package: Path) -> dict[str, bytes]:
    return extract_rpm(package, lambda _: True)


def as_version(release: str) -> str:
    """A version has one dash at most."""
    first, _, rest = release.partition("-")
    return f"{first}-{rest.replace('-', '_')}"


def vermagic(module: bytes) -> str:
    """The release for which a module was compiled, and no other loads it."""
    found = re.search(rb"vermagic=(\S+) ", module)
    assert found is not None
    return found[1].decode()


def scripts(package: Path) -> str:
    return run(["rpm", "-qp", "--nosignature", "--scripts", str(package)], package="rpm").stdout


def requires(package: Path) -> set[str]:
    done = run(["rpm", "-qp", "--nosignature", "--requires", str(package)], package="rpm")
    return set(done.stdout.splitlines())


def provides(package: Path) -> tuple[str, ...]:
    return read_package(package).header.strings(Tag.PROVIDENAME)


def modules(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in found.items() if name.endswith(".ko")}


def test_kmod_of_enterprise_linux(stood: Stood) -> None:
    made = stood["el9"]
    release = release_of(made.image)
    package = named(made.rpms.paths, "kmod-ham")
    found = modules(files_of(package))
    assert set(found) == {f"/lib/modules/{release}/extra/ham/{name}.ko" for name in ("ham", "mhp_sim")}
    assert {vermagic(each) for each in found.values()} == {release}
    assert files_of(package)["/etc/depmod.d/kmod-ham.conf"] == b"override ham * weak-updates/ham\n"
    said = scripts(package)
    assert (
        f"find /lib/modules/{release}/extra/ham -name '*.ko' | /usr/sbin/weak-modules --add-modules" in said
    )
    assert "/usr/sbin/weak-modules --remove-modules < /run/kmod-ham.modules" in said
    assert f"kernel-core-uname-r >= {as_version(release)}" in requires(package)
    assert "/usr/sbin/weak-modules" in requires(package)
    assert "ham-kmod" in provides(package)
    assert "stands in for el9's" in made.image.stage.detail


def test_kmod_boots_to_the_verdict_of_debians_own_packages(
    stood: Stood, debian12: Pipeline, qemu: Path
) -> None:
    """The same kernel, scenario and model as theirs, which agree in every value (test_release)."""
    made = stood["el9"]
    assert release_of(made.image) == debian12.image.release(None)
    assert made.boot_request.kernel.read_bytes() == debian12.boot_request.kernel.read_bytes()
    assert made.booted.stage.verdict is Verdict.PASS
    assert made.proved.verdict is Verdict.PASS
    assert [s.mem_total_kib for s in made.proved.steps] == [s.expected_total_kib for s in made.proved.steps]


def test_kmp_of_opensuse(stood: Stood) -> None:
    made = stood["opensuse-leap"]
    release = release_of(made.image)
    package = named(made.rpms.paths, "ham-kmp-default")
    found = modules(files_of(package))
    assert set(found) == {f"/usr/lib/modules/{release}/updates/{name}.ko" for name in ("ham", "mhp_sim")}
    assert {vermagic(each) for each in found.values()} == {release}
    assert "ham-kmp" in provides(package)
    in_guest = made.boot_request.files
    assert f"/lib/modules/{release}/updates/ham.ko" in in_guest


def test_akmod_builds_for_a_kernel(stood: Stood, engine: Engine, tmp_path: Path) -> None:
    """The source RPM that akmod-ham brings, rebuilt as akmods does when a kernel comes."""
    made = stood["fedora"]
    release = release_of(made.image)
    carried = files_of(named(made.rpms.paths, "akmod-ham"))
    (name,) = [path for path in carried if path.endswith(".src.rpm")]
    source = Path(name).name
    macros = rpmbuild.defines(made.request.spec) | {"kernels": release}
    command = rpmbuild.argv(made.request.spec, ["--rebuild", source], macros)
    env = rpmbuild.environment(made.srpm.epoch)
    job = Job(made.image.digest, command, {source: carried[name]}, tmp_path / "log", env)
    (built,) = [
        (each, raw) for each, raw in engine.run(job, lambda _: None).files.items() if each.endswith(".rpm")
    ]
    package = tmp_path / built[0]
    package.write_bytes(built[1])
    assert built[0].startswith(f"kmod-ham-{release}-{__version__}-1.fc44")
    found = modules(files_of(package))
    assert set(found) == {f"/lib/modules/{release}/extra/ham/{name}.ko" for name in ("ham", "mhp_sim")}
    assert {vermagic(each) for each in found.values()} == {release}
    assert f"kernel-uname-r = {as_version(release)}" in requires(package)
    assert f"depmod -a {release}" in scripts(package)


def test_dkms_builds_installs_boots_and_goes(
    stood: Stood, engine: Engine, qemu: Path, tmp_path: Path
) -> None:
    """The real dkms on the files of dkms-ham; its module takes memory in, in the guest."""
    made = stood["fedora"]
    release = release_of(made.image)
    package = named(made.rpms.paths, "dkms-ham")
    given = {"dkms-ham.rpm": package.read_bytes()}
    job = Job(made.image.digest, ["sh", "-c", DKMS], given, tmp_path / "log", {"RELEASE": release})
    left = engine.run(job, lambda _: None).files
    assert re.search(
        rf"ham/{re.escape(__version__)}, {re.escape(release)}, x86_64: installed", text(left, "installed")
    )
    assert "ham" not in text(left, "removed")
    assert text(left, "known").strip() != "0", "depmod was run"
    places = text(left, "places").split()
    built = {place: left[Path(place).name] for place in places}
    assert {Path(place).name for place in places} == {"ham.ko", "mhp_sim.ko"}
    assert {vermagic(each) for each in built.values()} == {release}
    asked = made.boot_request
    files = {**asked.files, **built}
    booted = boot(replace(asked, files=files, scenario=SHORT, out=tmp_path / "boot"), Quiet())
    assert booted.stage.verdict is Verdict.PASS, booted.stage.detail
    proved = compare(SHORT, booted.console_log.read_text(errors="replace"), booted.report)
    assert proved.verdict is Verdict.PASS


def text(files: Mapping[str, bytes], name: str) -> str:
    return files[name].decode()


def test_only_where_the_facts_name_a_kernel(engine: Engine) -> None:
    with pytest.raises(UserError, match="no kernel stands in"):
        Pipeline(Request(specs.load("rh71"), scenarios.load(), keep=True, stand_in=True), Quiet()).image  # noqa: B018
