"""Rendered texts: changelog, spec, Dockerfile; an undefined name is an error."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamkit import __version__, specs
from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.render import changelog
from hamkit.render.dockerfile import dockerfile
from hamkit.render.environment import render

TEXT = """# Changelog

## [Unreleased]

- not yet

## [1.2.0] - 2026-02-28

### Added
- one thing
  on two lines
- another

## [1.1.0] - 2025-12-31

- first
"""
BASE = "sha256:" + "0" * 64
ALL = list(specs.load_all().values())


def test_changelog_is_read_newest_first() -> None:
    newest, oldest = changelog.parse(TEXT)
    assert newest.version == "1.2.0"
    assert newest.items == ("one thing on two lines", "another")
    assert newest.day == "Sat Feb 28 2026"
    assert newest.epoch == 1772236800
    assert oldest.items == ("first",)


def test_release_without_entry_is_told(tmp_path: Path) -> None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(TEXT)
    assert [e.version for e in changelog.released(path, "1.1.0")] == ["1.1.0"]
    with pytest.raises(UserError, match=r"no entry for version 9\.9"):
        changelog.released(path, "9.9")
    with pytest.raises(UserError, match=r"absent\.md"):
        changelog.released(tmp_path / "absent.md", "1.1.0")


def test_impossible_date_is_told(tmp_path: Path) -> None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text("## [1.0.0] - 2026-02-30\n")
    with pytest.raises(UserError, match=r"CHANGELOG.md: day"):
        changelog.released(path, "1.0.0")


@given(st.dates(datetime.date(1980, 1, 1), datetime.date(2100, 1, 1)))
def test_epoch_is_the_days_first_second(day: datetime.date) -> None:
    (entry,) = changelog.parse(f"## [1.0] - {day.isoformat()}\n")
    assert datetime.datetime.fromtimestamp(entry.epoch, datetime.UTC) == datetime.datetime(
        day.year, day.month, day.day, tzinfo=datetime.UTC
    )


def test_this_version_has_an_entry_and_the_c_sources_agree() -> None:
    assert changelog.released(project_root() / "CHANGELOG.md", __version__)[0].items
    assert (project_root() / "ham-src" / "VERSION").read_text().strip() == __version__


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.name)
def test_dockerfile_names_its_base_by_digest_and_has_one_step(spec: specs.Spec) -> None:
    if spec.distribution.line == "2.4":
        pytest.skip("no image of the distribution itself exists")
    text = dockerfile(spec, BASE)
    words = [line.split()[0] for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]
    assert words == ["FROM", "RUN"]
    assert f"FROM {BASE}\n" in text
    assert all(spec.kernel.headers_package.format(flavour=f) in text for f in spec.kernel.flavours)
    assert ("Check-Valid-Until" in text) is spec.image.frozen


@pytest.mark.parametrize("spec", [s for s in ALL if s.kernel.stand_in], ids=lambda s: s.name)
def test_a_kernel_stands_in_where_the_packages_look_for_one(spec: specs.Spec) -> None:
    text = dockerfile(spec, BASE, "stand-in", specs.load("debian-12"))
    tree = spec.kernel.build_tree.replace("{release}", "$release").replace("{flavour}", "default")
    assert f'ln -s "/usr/src/linux-headers-$release" "{tree}"' in text
    assert f'echo "{spec.kernel.default_flavour} $release" > /usr/lib/hamkit/kernels' in text
    assert ("> /usr/bin/kmodtool" in text) == ("akmod" in spec.kernel.conventions)
    assert bool(re.search(r"\bdkms\b", text.split("LABEL")[0])) == ("dkms" in spec.kernel.conventions)
    assert ("macros.kernel-module-package" in text) == ("kmp" in spec.kernel.conventions)
    assert f"The kernel in it is not {spec.distribution.title}'s" in text


@pytest.mark.parametrize("spec", [s for s in ALL if s.image.style_base], ids=lambda s: s.name)
def test_style_sets_rpm_up_as_the_distributions(spec: specs.Spec) -> None:
    text = dockerfile(spec, BASE, "style", specs.load("debian-12"))
    assert f"LABEL org.hamkit.style={spec.name}\n" in text
    assert f"it is not {spec.distribution.title}" in text
    macros = dict(re.findall(r"'?%(\w+) (.*?)'? \\$", text, re.MULTILINE))
    assert macros["_source_payload"] == spec.rpm.source_payload
    assert macros["_topdir"] == spec.rpm.topdir
    assert (macros["_source_filedigest_algorithm"] == "1") is (spec.distribution.line == "2.4")
    installs = text.split("LABEL")[0]
    assert spec.distribution.title not in installs.split("FROM")[1], "one layer for all with these packages"


def test_mirror_replaces_the_package_sources() -> None:
    mirror = ("https://mirror.invalid/x", "file:///srv/y")
    for name in ("debian-11", "el9", "opensuse-leap"):
        spec = specs.load(name)
        assert "mirror.invalid" not in dockerfile(spec, BASE)
        image = spec.image.model_copy(update={"mirror": mirror})
        text = dockerfile(spec.model_copy(update={"image": image}), BASE)
        assert all(url in text for url in mirror)


def test_missing_fact_names_template_and_fact() -> None:
    with pytest.raises(UserError, match=r"templates/image/debian.Dockerfile.j2.*undefined"):
        render("image/debian.Dockerfile.j2", {})
