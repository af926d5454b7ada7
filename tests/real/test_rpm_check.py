"""The check beside the real rpm: packages by rpmbuild, verdicts, damage, and the order of versions."""

from __future__ import annotations

import itertools
import os
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamkit import specs
from hamkit.progress import Quiet
from hamkit.prove.rpm import CheckRequest, CheckResult, check, real_checks
from hamkit.prove.rpm.evr import Evr
from hamkit.rpmfiles import extract_rpm, read_package
from hamkit.run import run
from hamkit.stage import Verdict
from tests.unit.rpm_writer import BINARY_FILES, Recipe, write

EPOCH = 987_422_400
DEBIAN = specs.load("debian-12")
PAYLOADS = {
    "gzip": "w9.gzdio",
    "bzip2": "w9.bzdio",
    "xz": "w9.xzdio",
    "lzma": "w9.lzdio",
    "zstd": "w19.zstdio",
    "none": "w.ufdio",
}
DIGESTS = {"md5": 1, "sha256": 8}
HARMLESS = {8, 9, 76, 77}
SPEC_FILE = """\
Name: ham-probe
Version: 1.0~rc1
Release: 2
Epoch: 3
Summary: A package to be checked
License: GPL
Group: System Environment/Kernel
BuildArch: noarch
Source0: probe-1.0.tar.gz
Source1: probe.conf
%description
A small package.
%prep
%setup -q -n probe-1.0
%install
mkdir -p %{buildroot}/usr/share/doc/probe %{buildroot}/etc/modprobe.d
cp README %{buildroot}/usr/share/doc/probe/README
ln %{buildroot}/usr/share/doc/probe/README %{buildroot}/usr/share/doc/probe/AGAIN
ln -s README %{buildroot}/usr/share/doc/probe/LINK
: > %{buildroot}/usr/share/doc/probe/EMPTY
cp %{SOURCE1} %{buildroot}/etc/modprobe.d/probe.conf
%files
%defattr(-,root,root)
%dir /usr/share/doc/probe
/usr/share/doc/probe/*
%config /etc/modprobe.d/probe.conf
%ghost /etc/modprobe.d/later.conf
%changelog
* Mon Apr 16 2001 Ham <ham@example.invalid> - 3:1.0~rc1-2
- First.
"""


@dataclass(frozen=True)
class Built:
    """A source package and its binary package."""

    source: Path
    binary: Path

    def all(self) -> tuple[Path, Path]:
        return self.source, self.binary


def build(folder: Path, payload: str, digest: str, *extra: str) -> Built:
    sources = folder / "sources"
    (sources / "probe-1.0").mkdir(parents=True)
    (sources / "probe-1.0" / "README").write_text("read me\n" * 40)
    (sources / "probe.conf").write_text("options probe\n")
    (sources / "probe.spec").write_text(SPEC_FILE)
    with tarfile.open(sources / "probe-1.0.tar.gz", "w:gz") as tar:
        tar.add(sources / "probe-1.0", "probe-1.0")
    macros = {
        "_topdir": folder / "top",
        "_sourcedir": sources,
        "_source_payload": PAYLOADS[payload],
        "_binary_payload": PAYLOADS[payload],
        "_source_filedigest_algorithm": DIGESTS[digest],
        "_binary_filedigest_algorithm": DIGESTS[digest],
        "_buildhost": "localhost",
        "use_source_date_epoch_as_buildtime": 1,
        "clamp_mtime_to_source_date_epoch": 1,
        "_srcdefattr": "(644,root,root)",
    }
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    environment = {"HOME": "/nonexistent", "SOURCE_DATE_EPOCH": str(EPOCH)}
    spec = str(sources / "probe.spec")
    run(["rpmbuild", "-ba", *defines, *extra, spec], package="rpm", env=environment, cwd=folder)
    (source,) = (folder / "top" / "SRPMS").iterdir()
    (binary,) = (folder / "top" / "RPMS" / "noarch").iterdir()
    return Built(source, binary)


@pytest.fixture(scope="module")
def gzip_built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("gzip"), "gzip", "sha256")


def judge(path: Path, epoch: int | None = EPOCH) -> CheckResult:
    return check(CheckRequest(path, DEBIAN, source_date_epoch=epoch), Quiet())


def real_verdicts(path: Path) -> set[Verdict]:
    return {finding.verdict for finding in real_checks(path)}


@pytest.mark.parametrize(("payload", "digest"), list(itertools.product(PAYLOADS, DIGESTS)))
def test_what_rpmbuild_makes_passes(tmp_path: Path, payload: str, digest: str) -> None:
    for path in build(tmp_path, payload, digest).all():
        result = judge(path)
        assert result.failures == ()
        assert result.stage.verdict is Verdict.PASS
        assert result.stage.facts["compressor"] == payload
        assert real_verdicts(path) == {Verdict.PASS}


def test_old_rpm_refuses_what_is_new(tmp_path: Path) -> None:
    """The real rpm 4.4 could not read a zstd payload, nor SHA-256 file digests."""
    features = [f for f in DEBIAN.rpm.rpmlib if f in ("CompressedFileNames", "PayloadFilesHavePrefix")]
    changed = {
        "version": "4.4.2.3",
        "payload_compressors": ("gzip", "bzip2"),
        "file_digests": ("md5",),
        "rpmlib": (*features, "VersionedDependencies", "PayloadIsBzip2", "PartialHardlinkSets"),
    }
    old = DEBIAN.model_copy(update={"rpm": DEBIAN.rpm.model_copy(update=changed)})
    built = build(tmp_path, "zstd", "sha256")
    result = check(CheckRequest(built.source, old), Quiet())
    assert {f.rule for f in result.failures} == {
        "payload.compressor",
        "files.digest-algorithm",
        "depends.rpmlib",
        "depends.syntax",
        "package.name",
    }
    compressor = next(f for f in result.failures if f.rule == "payload.compressor")
    assert "rpm.source_payload" in compressor.fix


def test_clock_and_host_are_seen(tmp_path: Path) -> None:
    built = build(tmp_path, "gzip", "md5", "--define", "use_source_date_epoch_as_buildtime 0",
                  "--define", "_buildhost my-laptop")  # fmt: skip
    for path in built.all():
        assert {f.rule for f in judge(path, None).failures} == {"repro.build-host", "repro.build-time"}


def test_extraction_equals_rpm2cpio(gzip_built: Built, tmp_path: Path) -> None:
    for path in gzip_built.all():
        (folder := tmp_path / path.stem).mkdir()
        script = 'rpm2cpio "$1" | cpio -idm --quiet --no-absolute-filenames'
        run(["sh", "-c", script, "sh", path], package="cpio", cwd=folder)
        theirs = {
            str(p.relative_to(folder)): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file() and not p.is_symlink()
        }
        ours = extract_rpm(path, lambda _name: True)
        assert {name.lstrip("/"): data for name, data in ours.items()} == theirs
        assert len(theirs) > 2


def test_the_header_as_rpm_reads_it(gzip_built: Built) -> None:
    query = "[%{FILENAMES} %{LONGFILESIZES} %{FILEMODES} %{FILEMTIMES} %{FILEDIGESTS} %{FILEFLAGS}\n]"
    for path in gzip_built.all():
        theirs = run(["rpm", "-qp", "--nosignature", "--qf", query, path], package="rpm").stdout
        ours = [
            f"{f.name} {f.size} {f.mode} {f.mtime} {f.digest} {f.flags}" for f in read_package(path).files
        ]
        assert theirs.splitlines() == ours


def test_damage_to_a_real_package(gzip_built: Built, tmp_path: Path) -> None:
    """One bit of 404 bytes, the whole lead among them: refused, or harmless to rpm too."""
    whole = gzip_built.source.read_bytes()
    drawn = random.Random(1).sample(range(104, len(whole)), 300)
    mutant = tmp_path / "mutant.src.rpm"
    for place in sorted({*range(104), *drawn}):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        mutant.write_bytes(damaged)
        taken = judge(mutant).stage.verdict is Verdict.PASS
        assert taken == (place in HARMLESS), place
        if taken:
            assert real_verdicts(mutant) == {Verdict.PASS}


def test_what_rpm_refuses_we_refuse(gzip_built: Built, tmp_path: Path) -> None:
    """No damage that the real rpm sees escapes the check."""
    whole = gzip_built.binary.read_bytes()
    mutant = tmp_path / "mutant.rpm"
    refused = 0
    for place in random.Random(2).sample(range(len(whole)), 60):
        mutant.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        if Verdict.FAIL in real_verdicts(mutant):
            refused += 1
            assert judge(mutant).stage.verdict is Verdict.FAIL, place
    assert refused > 10


def test_real_rpm_refuses_a_truncated_package(gzip_built: Built, tmp_path: Path) -> None:
    path = tmp_path / "-short.rpm"
    path.write_bytes(gzip_built.source.read_bytes()[:-5])
    findings = {f.rule: f for f in real_checks(path)}
    assert findings["real.verify"].verdict is Verdict.FAIL
    assert judge(path).stage.verdict is Verdict.FAIL


def test_format_6_as_rpm_reads_it(tmp_path: Path) -> None:
    """Our idea of the format of rpm 6 against rpm 4.18, which can verify and list it."""
    path = tmp_path / "six.rpm"
    path.write_bytes(write(Recipe(source=False, files=BINARY_FILES, form=6)))
    assert real_verdicts(path) == {Verdict.PASS}
    assert {f.rule for f in judge(path, None).failures} == {"format.version"}


VERSION = st.text("019aZ.~^+_", min_size=1, max_size=8)
EVR = st.builds(
    lambda e, v, r: f"{e}{v}{r}",
    st.sampled_from(["", "0:", "1:"]),
    VERSION,
    st.just("") | st.builds("-{}".format, VERSION),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(EVR, EVR), min_size=40, max_size=80))
def test_order_of_versions_as_rpm_has_it(pairs: list[tuple[str, str]]) -> None:
    script = "".join(f'print(rpm.vercmp("{one}", "{two}"), "")' for one, two in pairs)
    theirs = run(["rpm", "--eval", f"%{{lua:{script}}}"], package="rpm").stdout.split()
    assert [int(n) for n in theirs] == [Evr.parse(a).compare(Evr.parse(b)) for a, b in pairs]


def test_rpm_is_here() -> None:
    """These tests are worth nothing without the real rpm; say so at once."""
    assert run(["rpm", "--version"], package="rpm").stdout.startswith("RPM version 4.")
    assert os.access("/usr/bin/rpmbuild", os.X_OK)
