"""The spec file of each distribution: what its packagers write, and nothing that its rpm cannot parse."""

from __future__ import annotations

import re

import pytest

from hamkit import __version__, rpmhistory, specs
from hamkit.prove.rpm.spec_text import unknown_constructs
from hamkit.render import changelog
from hamkit.render.rpmspec import MAIN, rpm_specs
from hamkit.specs import Spec

ENTRIES = changelog.parse("## [1.2.0] - 2026-02-28\n\n- one thing\n")
ALL = list(specs.load_all().values())
OLD = [spec for spec in ALL if spec.distribution.line == "2.4"]
LONG = re.compile(r"^( *%\{!?\?\w+:|# Needs to build:|%\{expand:)")  # one line by rpm's syntax


def text_of(spec: Spec) -> str:
    return rpm_specs(spec, ENTRIES)[MAIN]


def by_name(name: str) -> str:
    return text_of(specs.load(name))


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.name)
def test_every_spec(spec: Spec) -> None:
    for name, text in rpm_specs(spec, ENTRIES).items():
        assert re.search(rf"^Version: +{re.escape(__version__)}$", text, re.MULTILINE), name
        assert re.search(r"^\* Sat Feb 28 2026 hamkit - 1\.2\.0-1", text, re.MULTILINE), name
        assert "{{" not in text
        assert "{%" not in text.replace("%{%", "")
        assert "uname -" not in text, "a build must not look at the kernel that runs"
        assert "\n\n\n" not in text
        assert all(len(line) <= 130 or LONG.match(line) for line in text.splitlines()), name
        assert not re.search(r"[ \t]$", text, re.MULTILINE), name


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.name)
def test_nothing_that_the_distributions_rpm_cannot_parse(spec: Spec) -> None:
    for text in rpm_specs(spec, ENTRIES).values():
        assert unknown_constructs(text, spec.rpm.version_tuple) == []


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.name)
def test_every_package_is_described_and_has_files(spec: Spec) -> None:
    """Each %package has a %description and %files of the same name, and sections are balanced."""
    text = text_of(spec)
    packages = re.findall(r"^%package (.+)$", text, re.MULTILINE)
    assert packages
    for section in ("description", "files"):
        assert set(packages) <= set(re.findall(rf"^%{section} (.+)$", text, re.MULTILINE))
    opened = len(re.findall(r"^%if", text, re.MULTILINE))
    assert opened == len(re.findall(r"^%endif", text, re.MULTILINE))


@pytest.mark.parametrize("spec", OLD, ids=lambda s: s.name)
def test_as_written_in_2001(spec: Spec) -> None:
    text = text_of(spec)
    for tag in ("License:        GPL", "Group: ", "BuildRoot: ", "BuildRequires:  kernel-source"):
        assert f"\n{tag}" in text, tag
    assert f"Release:        1{spec.rpm.release_suffix}\n" in text
    assert text.count("%files") == text.count("%defattr(-,root,root)")
    assert "%clean\nrm -rf $RPM_BUILD_ROOT\n" in text
    assert "/usr/src/linux-2.4" in text
    for word in ("%{?dist}", "%license", "%autosetup", "%make_", "Recommends", "%{buildroot}", "systemd"):
        assert word not in text
    for flavour, variant in spec.kernel.variants.items():
        module = f"kernel-{variant.suffix}-module-ham" if variant.suffix else "kernel-module-ham"
        assert f"%package -n {module}\n" in text
        assert f"/sbin/depmod -ae -F /boot/System.map-%{{kernel_release}}{variant.suffix} " in text
        others = [v.macro for name, v in spec.kernel.variants.items() if name != flavour]
        line = next(
            row for row in text.splitlines() if "-D__BOOT_KERNEL_H_" in row and f"{variant.macro}=1" in row
        )
        assert all(f"-D{macro}=0" in line for macro in others)
    assert "%post\n/sbin/chkconfig --add ham\n" in text
    assert "%config %{_sysconfdir}/rc.d/init.d/ham\n" in text
    assert text.count("-D__MODULE_KERNEL_%{_target_cpu}=1") == len(spec.kernel.variants)


def test_pae_modules_are_for_processors_that_have_it() -> None:
    text = by_name("rh71")
    assert "\n%ifarch i686\n%global build_enterprise %(" in text
    assert "\n%else\n%global build_enterprise 0\n%endif\n" in text
    before = text[: text.index("%package -n kernel-enterprise-module-ham")]
    assert before.endswith("\n\n%if %{build_enterprise}\n")


def test_macros_that_rpm_402_survives() -> None:
    """It crashes on parametric macros and wants three letters; %define in %{!?...} fails."""
    text = by_name("rh71")
    names = re.findall(r"%(?:define|global)\s+(\w+)(\(?)", text)
    assert names
    assert all(len(name) >= 3 and not bracket for name, bracket in names)
    assert not re.search(r"%\{!\?\w+:\s*%define", text)
    assert "%(" in text
    assert {c.name for c in rpmhistory.CONSTRUCTS if c.pattern.search(text)} <= set(
        specs.load("rh71").rpm.spec_constructs
    )


@pytest.mark.parametrize("name", ["debian-12", "el8", "el9", "el10", "fedora", "opensuse-leap"])
def test_as_written_now(name: str) -> None:
    text = by_name(name)
    assert "\n%license LICENSE\n" in text
    for word in ("BuildRoot:", "\n%clean", "$RPM_BUILD_ROOT", "Copyright:"):
        assert word not in text
    assert ("\nGroup:" in text) is (name in ("debian-12", "opensuse-leap"))
    assert "/modules-load.d/ham.conf\n" in text
    assert "init.d" not in text
    if name != "fedora":
        assert "scripts/sign-file sha256 %{module_key} %{module_certificate}" in text


def test_enterprise_linux_links_its_module_into_kernels_of_the_same_abi() -> None:
    text = by_name("el9")
    assert "Release:        1%{?dist}\n" in text
    assert "| /usr/sbin/weak-modules --add-modules" in text
    assert "/usr/sbin/weak-modules --remove-modules <" in text
    assert "/lib/modules/%{kernel_release}/extra/ham\n" in text
    assert "%package -n kmod-ham\n" in text


def test_opensuse_makes_a_kmp_and_packs_without_its_macros() -> None:
    text = by_name("opensuse-leap")
    assert "\n%kernel_module_package\n" in text
    assert "%if 0%{?kernel_module_package:1}" in text
    assert "for flavor in %{flavors_to_build}; do" in text


def test_fedora_carries_an_akmod_and_dkms() -> None:
    made = rpm_specs(specs.load("fedora"), ENTRIES)
    assert list(made) == ["ham.spec", "ham-kmod.spec.in"]
    assert "Source1:        ham-kmod.spec.in\n" in made["ham.spec"]
    assert "%{expand:%(kmodtool " in made["ham-kmod.spec.in"]
    assert "Recommends:     (akmod-ham or dkms-ham)" in made["ham.spec"]
    for module in ("ham", "mhp_sim"):
        assert f'="{module}"\n' in made["ham.spec"]


@pytest.mark.parametrize("spec", [s for s in ALL if s.distribution.family == "debian"], ids=lambda s: s.name)
def test_debian_has_a_package_for_each_flavour(spec: Spec) -> None:
    text = text_of(spec)
    for flavour in spec.kernel.flavours:
        assert f"%package kmod-{flavour}\n" in text
        assert f"%files kmod-{flavour}\n" in text


@pytest.mark.parametrize("line", ["%filetriggerin -- /usr/share", "%transfiletriggerpostun -p /bin/sh -- /x"])
def test_file_triggers_came_with_rpm_4_13(line: str) -> None:
    assert unknown_constructs(f"Name: x\n{line}\n", (4, 12)) == ["file triggers"]
    assert unknown_constructs(f"Name: x\n{line}\n", (4, 13)) == []
    assert unknown_constructs("%triggerin -- foo\n", (4, 0, 2)) == [], "a plain trigger is as old as rpm"
