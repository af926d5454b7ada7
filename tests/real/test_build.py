"""Source and binary RPMs by the real rpmbuild in the real image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import LABEL, specs
from hamkit.build.engine import Engine, Job
from hamkit.build.rpms import BuildRequest, build_rpms, compiler_warnings, installed_files
from hamkit.build.sources import source_files
from hamkit.build.srpm import SrpmRequest, build_srpm, render_srpm
from hamkit.courses.distribution import Pipeline
from hamkit.errors import Failure
from hamkit.files import project_root, sha256_file
from hamkit.progress import Quiet
from hamkit.stage import Verdict

from .conftest import Pipelines

DISTROS = [name for name, spec in specs.load_all().items() if spec.image.suite]
BUILD_ELSEWHERE = """
import sys
from pathlib import Path
from hamkit import scenarios, specs
from hamkit.courses.distribution import Pipeline, Request
from hamkit.progress import Quiet
made = Pipeline(Request(specs.load("debian-12"), scenarios.load(), keep=True), Quiet()).srpm
print(made.path, made.stage.cached, sys.modules["hamkit.build.srpm"].__file__)
"""


def _elsewhere(root: Path, stamp: int, mask: int) -> Path:
    """Build the source RPM from a copy of the project, with a cache of its own."""
    root.mkdir(parents=True)
    for name in ("CHANGELOG.md", "LICENSE"):
        shutil.copy(project_root() / name, root)
    for name in ("ham-src", "hamkit", "specs", "templates"):
        shutil.copytree(project_root() / name, root / name)
    for path in (root / "ham-src").rglob("*"):
        os.utime(path, (stamp, stamp))
    env = os.environ | {"PYTHONPATH": str(root), "HAM_CACHE": str(root / "cache"), "HOME": str(root)}
    (root / ".rpmmacros").write_text("%packager someone\n")
    done = subprocess.run(
        [sys.executable, "-c", BUILD_ELSEWHERE],
        cwd=root,
        env=env,
        umask=mask,
        capture_output=True,
        text=True,
        check=True,
    )
    made, cached, module = done.stdout.split()
    assert cached == "False"
    assert Path(module).is_relative_to(root)
    return Path(made)


def test_source_rpm_is_the_same_bytes_in_other_places_at_other_times(
    tmp_path: Path, debian12: Pipeline
) -> None:
    debian12.image  # noqa: B018 - so that both copies find it
    one = _elsewhere(tmp_path / "one", 1_000_000_000, 0o022)
    two = _elsewhere(tmp_path / "a" / "longer" / "two", 1_900_000_000, 0o077)
    assert one.name == two.name
    assert sha256_file(one) == sha256_file(two) == sha256_file(debian12.srpm.path)


def test_binary_rpms_are_the_same_bytes_twice(debian12: Pipeline, tmp_path: Path) -> None:
    asked = BuildRequest(debian12.srpm, debian12.image, tmp_path / "log", renew=True)
    before = {p.name: sha256_file(p) for p in debian12.rpms.paths}
    after = {p.name: sha256_file(p) for p in build_rpms(asked, debian12.engine, Quiet()).paths}
    assert before == after
    assert len(before) == 5


def test_packages_install_what_a_guest_needs(debian12: Pipeline) -> None:
    release = debian12.image.release(None)
    files = installed_files(debian12.rpms.paths, release)
    assert set(files) == {
        f"/lib/modules/{release}/extra/ham/ham.ko",
        f"/lib/modules/{release}/extra/ham/mhp_sim.ko",
        "/usr/sbin/hamctl",
        "/usr/libexec/ham/hamabuse",
        "/usr/libexec/ham/haminit",
        "/usr/libexec/ham/memfill",
        "/usr/libexec/ham/memwork",
    }
    assert all(content.startswith(b"\x7fELF") for content in files.values())


def test_source_rpm_suits_its_distribution(debian12: Pipeline) -> None:
    assert debian12.checked.stage.verdict is Verdict.PASS


def test_failing_build_quotes_the_compiler_and_leaves_nothing(debian12: Pipeline, tmp_path: Path) -> None:
    rendered = render_srpm(debian12.request.spec)
    text = rendered.files[rendered.main].decode()
    broken = text.replace("%build\n", "%build\ncc -x c - <<< 'int main(' || exit 9\n").encode()
    bad = replace(rendered, files={**rendered.files, rendered.main: broken})
    srpm = build_srpm(SrpmRequest(bad, debian12.image, tmp_path / "log"), debian12.engine, Quiet())
    with pytest.raises(Failure, match="rpmbuild ended with status 1"):
        build_rpms(BuildRequest(srpm, debian12.image, tmp_path / "log"), debian12.engine, Quiet())
    assert debian12.engine.api.containers(all=True, filters={"label": LABEL}) == []


@pytest.mark.parametrize("testing", [False, True], ids=["product", "test-build"])
@pytest.mark.parametrize("distro", DISTROS)
def test_module_builds_without_a_warning(
    distro: str, testing: bool, pipelines: Pipelines, engine: Engine, tmp_path: Path
) -> None:
    image = pipelines.get(distro).image
    root = project_root() / "ham-src"
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in source_files(root)}
    flag = "HAM_TEST=1" if testing else ""
    script = "make tools proof\n" + "\n".join(
        f"make OUT=/tmp/{release} KDIR=/lib/modules/{release}/build {flag} W=1 modules"
        for release in image.kernels.values()
    )
    log = tmp_path / "log"
    done = engine.run(Job(image.digest, ["sh", "-e", "-c", script], files, log, {}), lambda _: None)
    assert compiler_warnings(done.text) == []
    assert done.text.count("mhp_sim.ko") >= len(image.kernels)
