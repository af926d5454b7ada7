"""The source RPMs of Red Hat's 2.4 distributions before real rpms of their time.

Those lie below ``toolchains/`` in the cache (``rpm.programs`` of a spec); a test skips where its own is not
there. They read, unpack, parse and rebuild what hamkit makes, and judge damage to it.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from hamkit import scenarios, specs
from hamkit.build.engine import Engine
from hamkit.build.kernel24.programs import COMPILER, PACKAGE
from hamkit.courses.distribution import Pipeline, Request
from hamkit.errors import MissingNeed
from hamkit.files import cache_root
from hamkit.progress import Quiet
from hamkit.prove.rpm import CheckRequest, Program, check, program_checks, real_programs
from hamkit.prove.rpm.spec_text import unknown_constructs
from hamkit.rpmfiles import extract_rpm
from hamkit.rpmhistory import version_tuple
from hamkit.run import Completed, find, run
from hamkit.stage import Verdict

KNOWN = specs.load_all()
LINE_24 = [name for name, spec in KNOWN.items() if spec.distribution.line == "2.4"]
OLD = {"rpm-4.0.2": "rh71", "rpm-4.0.3": "rh72", "rpm-4.4.2": "rhel3"}
"""Each real rpm, with the distribution whose source RPM it is given."""
UNSEEN = {"lead.fields", "lead.type", "signature.reserved", "signature.layout"}
"""Rules on bytes that no digest covers and old rpms do not read."""
PLAIN = """\
%global flavours up
Name: probe
Version: 1.0
Release: 1
Summary: A package to be parsed
License: GPL
Group: System Environment/Kernel
{more}
BuildRoot: /nonexistent
%description
A small package.
%prep
%files
"""


@dataclass(frozen=True)
class Old:
    """A real old rpm with a home of its own."""

    program: Program
    home: Path

    def __call__(self, *words: str | Path, build: bool = False) -> Completed:
        """Run it as on a machine of its time: i686, not x86_64."""
        builder = self.program.path.with_name("rpmbuild")
        path = builder if build and builder.is_file() else self.program.path
        argv = ["setarch", "i686", path, *words]
        return run(argv, package="util-linux", env={"HOME": str(self.home)}, check=False, timeout=300)


def program_of(name: str) -> Program:
    path = cache_root() / "toolchains" / name / "bin" / "rpm"
    if not path.is_file():
        pytest.skip(f"no real rpm at {path}: put one built for this machine there")
    return Program(name, path)


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    program = program_of(request.param)
    for name in ("BUILD", "RPMS/i686", "SOURCES", "SPECS", "SRPMS", "db", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    macros = {"_topdir": "", "_dbpath": "/db", "_tmppath": "/tmp"}
    lines = [f"%{name} {tmp_path}{place}" for name, place in macros.items()]
    (tmp_path / ".rpmmacros").write_text("\n".join(lines) + "\n")
    return Old(program, tmp_path)


def source_of(name: str) -> Path:
    try:
        Engine.connect()
    except MissingNeed as missing:
        pytest.skip(str(missing))
    return Pipeline(Request(KNOWN[name], scenarios.load(), keep=True), Quiet()).srpm.path


@pytest.mark.parametrize("name", LINE_24)
def test_the_real_rpms_of_a_distribution_take_its_source(name: str) -> None:
    spec = KNOWN[name]
    programs = real_programs(spec)
    if not programs:
        pytest.skip(f"none of {', '.join(spec.rpm.programs)} below {cache_root() / 'toolchains'}")
    result = check(CheckRequest(source_of(name), spec), Quiet(), programs=programs)
    assert result.stage.verdict is Verdict.PASS, result.stage.detail
    real = [f.title.split(":")[0] for f in result.findings if f.rule.startswith("real.")]
    assert real == [program.name for program in programs for _ in range(4)]


def test_what_is_new_ends_in_a_wrong_digest(old: Old) -> None:
    """SHA-256 digests of files: rpm 4.1 to 4.4 take them for MD5; 4.0 verifies none (specs/README.md)."""
    findings = program_checks(source_of("el8"), old.program, source=True)
    wrong = [f for f in findings if f.verdict is not Verdict.PASS]
    if old.program.name == "rpm-4.4.2":
        assert [f.rule for f in wrong] == ["real.install"]
        assert "MD5 sum mismatch" in wrong[0].seen
    else:
        assert wrong == []


def test_source_is_rebuilt(old: Old) -> None:
    """All of the spec is parsed and carried out; the packages install, and are what hamkit would ship."""
    try:
        find(COMPILER, PACKAGE)
    except MissingNeed as missing:
        pytest.skip(str(missing))
    name = OLD[old.program.name]
    with (old.home / ".rpmmacros").open("a") as macros:
        macros.write(f"%__cc {COMPILER}\n%_mandir /usr/share/man\n")
    done = old("--rebuild", "--nodeps", "--target=i686-redhat-linux", source_of(name), build=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "error:" not in done.stderr
    made = sorted((old.home / "RPMS" / "i686").iterdir())
    assert [path.name.split("-0.")[0] for path in made] == ["ham", "ham-devel", "ham-proof"]
    for path in made:
        (verified,) = [f for f in program_checks(path, old.program, source=False) if f.rule == "real.verify"]
        assert verified.verdict is Verdict.PASS
    files = {name for path in made for name in extract_rpm(path, lambda _: True)}
    assert {"/usr/sbin/hamctl", "/etc/rc.d/init.d/ham", "/usr/include/ham.h"} <= files
    root = old.home / "root"
    (root / "db").mkdir(parents=True)
    if os.geteuid():
        return  # chroot is root's
    place = ("--root", root, "--dbpath", "/db")
    assert old(*place, "--initdb").returncode == 0
    done = old(*place, "-i", "--nodeps", "--noscripts", *made)
    assert done.returncode == 0, done.stderr
    assert (root / "usr/sbin/hamctl").is_file()


NESTED = "%ifarch alpha\n%if {condition}\nBuildRequires: nothing\n%endif\n%endif"


@pytest.mark.parametrize(
    "more",
    [
        NESTED.format(condition="%{flavours}"),
        NESTED.format(condition="0%{?flavours:1}"),
        NESTED.format(condition='"%{flavours}" == "up"'),
        NESTED.format(condition="1"),
        "%ifarch alpha\n%ifos linux\n%endif\n%endif",
        "%if 0%{?flavours:1}\n%endif",
        "Recommends: kernel",
        "%if 0\nRecommends: kernel\n%endif",
    ],
)
def test_what_it_cannot_parse_is_known(old: Old, more: str) -> None:
    """Our table of constructs against the real parser."""
    text = PLAIN.format(more=more)
    (path := old.home / "probe.spec").write_text(text)
    done = old("-q", "--specfile", path)
    parsed = done.returncode == 0 and "error:" not in done.stderr and "probe-1.0-1" in done.stdout
    version = version_tuple(old.program.name.removeprefix("rpm-"))
    assert parsed is (unknown_constructs(text, version) == []), done.stdout + done.stderr


def test_every_flavour_has_its_package(old: Old) -> None:
    """What the spec makes of a kernel-source with all flavours, parsed for i386: the one that runs there."""
    with (old.home / ".rpmmacros").open("a") as macros:
        macros.write("%kernel_flavours up smp enterprise\n%kernel_release 2.4.2-2\n")
    texts = extract_rpm(source_of("rh71"), lambda name: name.endswith("ham.spec"))
    (path := old.home / "ham.spec").write_bytes(*texts.values())
    done = old("-q", "--specfile", path)
    assert "error:" not in done.stderr
    names = [line.split("-0.")[0] for line in done.stdout.splitlines()]
    assert names == ["ham", "kernel-module-ham", "ham-devel", "ham-proof"]


def test_what_it_refuses_we_refuse(old: Old, tmp_path: Path) -> None:
    """A flipped byte, an end cut off or added: what the real rpm sees, the check sees; what only the check
    sees are bytes that no digest covers."""
    spec = KNOWN[OLD[old.program.name]]
    whole = source_of(spec.name).read_bytes()
    flips = [*random.Random(4).sample(range(len(whole)), 12), 0, 4, 7, 78]
    mutants = [whole[:n] + bytes([whole[n] ^ 0xFF]) + whole[n + 1 :] for n in flips]
    mutants += [whole[:n] for n in (0, 50, 300, len(whole) // 2, len(whole) - 1)] + [whole + b"\0"]
    path = tmp_path / "mutant.src.rpm"
    refused = 0
    for mutant in mutants:
        path.write_bytes(mutant)
        ours = check(CheckRequest(path, spec), Quiet())
        findings = program_checks(path, old.program, source=True)
        assert Verdict.NOT_RUN not in {f.verdict for f in findings}
        assert ours.failures, "every one of these is damage"
        if any(f.verdict is Verdict.FAIL for f in findings):
            refused += 1
        else:
            assert {f.rule for f in ours.failures} <= UNSEEN
    assert refused > 10


def test_they_are_found_by_name() -> None:
    """Every name in a spec is one that these tests run."""
    assert {name for spec in KNOWN.values() for name in spec.rpm.programs} == set(OLD)
