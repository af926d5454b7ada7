"""A release's package versions, installed again by the real apt in the real engine; and one that is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hamkit import scenarios
from hamkit.build import lock as locks
from hamkit.build.engine import Engine
from hamkit.courses.distribution import Pipeline, Request
from hamkit.errors import MissingNeed
from hamkit.progress import Quiet

pytestmark = [pytest.mark.engine]


def locked(run: Pipeline, path: Path) -> Pipeline:
    asked = Request(run.request.spec, scenarios.load(), keep=True, lock=locks.load(path))
    return Pipeline(asked, Quiet())


def test_the_same_versions_are_installed_again(debian12: Pipeline, tmp_path: Path) -> None:
    lock = tmp_path / "build-environment.txt"
    lock.write_bytes(debian12.image.packages.read_bytes())
    try:
        made = locked(debian12, lock)
        assert made.image.packages.read_bytes() == lock.read_bytes()
    except MissingNeed as gone:
        pytest.skip(f"the image in the cache is older than the archive: {gone.message}")
    assert made.image.digest != debian12.image.digest
    assert made.image.kernels == debian12.image.kernels
    release = made.image.release(None)
    assert made.image.boot_file(release).read_bytes() == debian12.image.boot_file(release).read_bytes()
    assert made.image.stage.inputs["lock"] == f"sha256:{locks.load(lock).digest}"
    assert made.srpm.path.read_bytes() == debian12.srpm.path.read_bytes()


def test_a_version_that_is_gone_is_named(debian12: Pipeline, engine: Engine, tmp_path: Path) -> None:
    before = engine.our_images()
    text = debian12.image.packages.read_text()
    lock = tmp_path / "old.lock"
    lock.write_text(re.sub(r"^(make) \S+", r"\1 3.79.1-1", text, flags=re.MULTILINE))
    with pytest.raises(MissingNeed) as gone:
        locked(debian12, lock).image  # noqa: B018
    assert "the package archive no longer has make 3.79.1-1" in gone.value.message
    assert "invoke image --distro debian-12 --renew --write-lock" in gone.value.hint
    assert engine.our_images() == before
