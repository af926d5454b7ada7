"""Each rule of the check refuses what it is there for, and only that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import specs
from hamkit.errors import UserError
from hamkit.progress import Quiet
from hamkit.prove.rpm import CheckRequest, CheckResult, check
from hamkit.rpmfiles.tags import DIGEST_NAMES, Kind, Sig, Tag
from hamkit.specs import Spec
from hamkit.stage import Verdict
from tests.unit.rpm_writer import BINARY_FILES, BUILD_TIME, SOURCE_FILES, File, Recipe, newc, write

DEBIAN = specs.load("debian-12")
OLD_FEATURES = (
    "VersionedDependencies",
    "CompressedFileNames",
    "PayloadIsBzip2",
    "PayloadFilesHavePrefix",
    "ExplicitPackageProvide",
    "HeaderLoadSortsTags",
)
SOURCE = Recipe()
BINARY = Recipe(source=False, files=BINARY_FILES)
OLD_SOURCE = Recipe(digest=1)
README = BINARY_FILES[1]


def variant(version: str, line: str = "mainline", **rpm: object) -> Spec:
    """debian-12 with another rpm."""
    changed = DEBIAN.rpm.model_copy(update={"version": version, **rpm})
    distribution = DEBIAN.distribution.model_copy(update={"line": line})
    return DEBIAN.model_copy(update={"rpm": changed, "distribution": distribution})


RPM_402 = variant(
    "4.0.2", "2.4", payload_compressors=("gzip", "bzip2"), file_digests=("md5",), rpmlib=OLD_FEATURES
)
RPM_4423 = variant(
    "4.4.2.3", payload_compressors=("gzip", "bzip2"), file_digests=("md5",), rpmlib=OLD_FEATURES
)
RPM_602 = variant("6.0.2")


def judge(
    folder: Path, content: Recipe | bytes, spec: Spec = DEBIAN, epoch: int | None = None
) -> CheckResult:
    path = folder / "ham-1.0-1.rpm"
    path.write_bytes(write(content) if isinstance(content, Recipe) else content)
    return check(CheckRequest(path, spec, source_date_epoch=epoch), Quiet())


def failed(result: CheckResult) -> set[str]:
    return {finding.rule for finding in result.failures}


@pytest.mark.parametrize("base", [SOURCE, BINARY], ids=["source", "binary"])
@pytest.mark.parametrize("compressor", ["none", "gzip", "bzip2", "xz", "lzma"])
@pytest.mark.parametrize("digest", [1, 2, 8, 10])
def test_good_packages_pass(tmp_path: Path, base: Recipe, compressor: str, digest: int) -> None:
    result = judge(tmp_path, replace(base, compressor=compressor, digest=digest))
    assert failed(result) == set()
    assert result.stage.verdict is Verdict.PASS
    assert len(result.findings) > 30


@pytest.mark.parametrize("base", [SOURCE, BINARY], ids=["source", "binary"])
def test_format_6(tmp_path: Path, base: Recipe) -> None:
    six = replace(base, form=6)
    assert judge(tmp_path, six, RPM_602).stage.verdict is Verdict.PASS
    assert failed(judge(tmp_path, six)) == {"format.version"}
    assert failed(judge(tmp_path, six, RPM_4423)) >= {"format.version", "header.dialect", "depends.rpmlib"}
    assert "rpm 4.18.0 of debian-12" in judge(tmp_path, six).stage.detail
    assert judge(tmp_path, base, RPM_602).stage.verdict is Verdict.PASS


def test_old_rpm(tmp_path: Path) -> None:
    """What real rpm 4.0.2 and 4.4.2.3 did with such packages is in the project's facts."""
    old = replace(OLD_SOURCE, tags={Tag.ARCH: (Kind.STRING, ["i386"])})
    assert failed(judge(tmp_path, old, RPM_402)) == set()
    assert failed(judge(tmp_path, replace(old, compressor="bzip2"), RPM_402)) == set()
    assert failed(judge(tmp_path, replace(old, compressor="none"), RPM_402)) == set()
    assert failed(judge(tmp_path, replace(old, compressor="xz"), RPM_402)) == {
        "payload.compressor",
        "depends.rpmlib",
    }
    assert failed(judge(tmp_path, SOURCE, RPM_4423)) == {"files.digest-algorithm", "depends.rpmlib"}
    no_group = replace(old, tags={**old.tags, Tag.GROUP: None})
    assert failed(judge(tmp_path, no_group, RPM_402)) == {"package.texts"}


def text(tag: Tag, *values: str, kind: Kind = Kind.STRING) -> dict[int, tuple[int, tuple[str, ...]]]:
    return {tag: (kind, values)}


def with_file(file: File, base: Recipe = BINARY) -> Recipe:
    return replace(base, files=(*base.files, file))


ARRAY = Kind.STRING_ARRAY
SPEC = SOURCE_FILES[1]
CASES = {
    "signature.size": replace(SOURCE, signature={Sig.SIZE: (Kind.INT32, [1])}),
    "signature.types": replace(SOURCE, signature={1003: (Kind.BIN, bytes(16))}),
    "signature.reserved": replace(SOURCE, signature={Sig.RESERVEDSPACE: (Kind.BIN, b"x" * 8)}),
    "signature.required": replace(SOURCE, signature={Sig.SHA256: None}),
    "digest.header-sha1": replace(SOURCE, signature={Sig.SHA1: (Kind.STRING, ["0" * 40])}),
    "digest.header-sha256": replace(SOURCE, signature={Sig.SHA256: (Kind.STRING, ["0" * 64])}),
    "digest.md5": replace(SOURCE, signature={Sig.MD5: (Kind.BIN, bytes(16))}),
    "header.types": replace(SOURCE, tags={Tag.FILEMODES: (Kind.INT32, [0o100644] * 2)}),
    "payload.digest": replace(SOURCE, tags=text(Tag.PAYLOADSHA256, "0" * 64, kind=ARRAY)),
    "payload.digest-alt": replace(SOURCE, tags=text(Tag.PAYLOADSHA256ALT, "0" * 64, kind=ARRAY)),
    "payload.size": replace(SOURCE, signature={Sig.PAYLOADSIZE: (Kind.INT32, [1 << 20])}),
    "payload.magic": replace(SOURCE, tags=text(Tag.PAYLOADCOMPRESSOR, "xz")),
    "payload.compressor": replace(SOURCE, tags=text(Tag.PAYLOADCOMPRESSOR, "brotli")),
    "payload.format": replace(SOURCE, tags=text(Tag.PAYLOADFORMAT, "drpm")),
    "payload.unpack": replace(SOURCE, packed=lambda data: data[:-12]),
    "payload.archive": replace(SOURCE, archive=lambda data: data[: data.index(b"TRAILER") - 110]),
    "files.digest-algorithm": replace(SOURCE, digest=13),
    "files.digests": with_file(replace(README, name="/usr/share/doc/ham/x", digest="0" * 64)),
    "files.metadata": replace(SOURCE, archive=lambda data: data.replace(b"000081a4", b"000081ed")),
    "files.list": replace(SOURCE, archive=lambda data: newc("stranger", 0o100644, 0, 0, 9) + data),
    "files.modes": with_file(replace(README, name="/usr/share/doc/ham/su", mode=0o104755)),
    "files.owners": with_file(replace(README, name="/usr/share/doc/ham/x", user="ham")),
    "files.paths": with_file(replace(README, name="/usr/share/doc/../../../etc/passwd")),
    "header.files": replace(SOURCE, tags={Tag.FILEFLAGS: (Kind.INT32, [0])}),
    "depends.rpmlib": replace(
        SOURCE,
        tags={
            Tag.REQUIREFLAGS: (Kind.INT32, [0x0100000A]),
            Tag.REQUIRENAME: (ARRAY, ["rpmlib(FutureThing)"]),
            Tag.REQUIREVERSION: (ARRAY, ["9-1"]),
        },
    ),
    "package.name": replace(SOURCE, tags=text(Tag.VERSION, "1.0-beta")),
    "package.texts": replace(SOURCE, tags={Tag.LICENSE: None}),
    "package.arch": replace(BINARY, tags=text(Tag.ARCH, "s390x")),
    "source.spec": replace(SOURCE, files=(SOURCE_FILES[0], replace(SPEC, flags=0))),
    "source.sources": replace(SOURCE, tags=text(Tag.SOURCE, "other.tar.gz", kind=ARRAY)),
    "lead.type": replace(SOURCE, lead=write(BINARY)[:96]),
    "lead.fields": replace(SOURCE, lead=write(SOURCE)[:96].replace(b"ham", b"spa")),
    "lead.magic": replace(SOURCE, lead=bytes(96)),
    "repro.build-host": replace(SOURCE, tags=text(Tag.BUILDHOST, "my-laptop")),
    "repro.build-time": replace(SOURCE, tags={Tag.BUILDTIME: (Kind.INT32, [BUILD_TIME + 200_000])}),
    "repro.file-times": with_file(replace(README, name="/usr/share/doc/ham/x", mtime=BUILD_TIME + 9)),
    "repro.cookie": replace(SOURCE, tags=text(Tag.COOKIE, "my-laptop 1")),
}


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_refuses(tmp_path: Path, rule: str) -> None:
    result = judge(tmp_path, CASES[rule])
    assert rule in failed(result)
    assert result.stage.verdict is Verdict.FAIL
    assert "\n" not in result.stage.detail
    finding = next(f for f in result.failures if f.rule == rule)
    assert finding.fix
    assert finding.wanted
    assert finding.seen != finding.wanted


@pytest.mark.parametrize(
    ("tag", "kind", "values", "spec", "rule"),
    [
        (5046, ARRAY, ["kernel"], RPM_4423, "header.dialect"),
        (1151, Kind.STRING, ["true"], RPM_402, "header.dialect"),
        (Tag.LONGSIZE, Kind.INT64, [1], RPM_4423, "header.dialect"),
        (Tag.REQUIRENAME, ARRAY, ["(a or b)"], RPM_4423, "depends.syntax"),
        (Tag.PROVIDEVERSION, ARRAY, ["1.0~rc1"], RPM_4423, "depends.syntax"),
        (Tag.VERSION, Kind.STRING, ["1.0^git1"], RPM_4423, "package.name"),
        (Tag.EXCLUSIVEARCH, ARRAY, ["s390x"], DEBIAN, "package.arch"),
        (Tag.EXCLUDEARCH, ARRAY, ["x86_64"], DEBIAN, "package.arch"),
        (Tag.NOSOURCE, Kind.INT32, [0], DEBIAN, "source.sources"),
        (Tag.REQUIREVERSION, ARRAY, ["2.0-1", "4.6.0-1"], DEBIAN, "depends.rpmlib"),
    ],
)
def test_dialect(
    tmp_path: Path, tag: int, kind: Kind, values: list[str] | list[int], spec: Spec, rule: str
) -> None:
    assert rule in failed(judge(tmp_path, replace(SOURCE, tags={tag: (kind, values)}), spec))


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/b", "..", "x\x1b[2J", "naïve", "/usr/src"])
def test_source_names_are_plain(tmp_path: Path, name: str) -> None:
    assert "files.paths" in failed(judge(tmp_path, with_file(File(name, b"x"), SOURCE)))


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "/usr/share/doc", "usr/share/doc/x", "/usr/share/docs/x", "/usr/share/doc//x", "/"],
)
def test_binary_names_are_owned(tmp_path: Path, name: str) -> None:
    assert "files.paths" in failed(judge(tmp_path, with_file(File(name, b"x"))))


@pytest.mark.parametrize("mode", [0o104755, 0o102755, 0o100666, 0o041777, 0o060644, 0o020644, 0o010644])
def test_dangerous_modes(tmp_path: Path, mode: int) -> None:
    assert "files.modes" in failed(judge(tmp_path, with_file(File("/usr/share/doc/ham/x", mode=mode))))


def test_other_peoples_packages_are_made_in_their_way(tmp_path: Path) -> None:
    late = (Kind.INT32, [BUILD_TIME + 200_000])
    tags = {**text(Tag.BUILDHOST, "vm"), Tag.BUILDTIME: late, Tag.SOURCE: None}
    ours = replace(SOURCE, files=(SPEC,), tags=tags)
    house = {"repro.build-host", "repro.build-time", "repro.cookie", "source.sources"}
    assert failed(judge(tmp_path, ours)) == house
    assert failed(judge(tmp_path, theirs(ours))) == set()
    elsewhere = replace(BINARY, files=(*BINARY_FILES, File("/opt/spa/x", b"x")))
    assert failed(judge(tmp_path, elsewhere)) == {"files.paths"}
    assert failed(judge(tmp_path, theirs(elsewhere))) == set()
    relative = replace(BINARY, files=(*BINARY_FILES, File("opt/x", b"x")))
    assert "files.paths" in failed(judge(tmp_path, theirs(relative)))


def theirs(recipe: Recipe) -> Recipe:
    """The same package, called spa."""
    lead = write(recipe)[:96].replace(b"ham", b"spa")
    return replace(recipe, lead=lead, tags={**recipe.tags, **text(Tag.NAME, "spa")})


def test_links_by_build_id_are_allowed(tmp_path: Path) -> None:
    """rpmbuild adds them to packages with programs, the folder as well."""
    top = "/usr/lib/.build-id"
    links = (
        File(top, mode=0o040755),
        File(f"{top}/6f", mode=0o040755),
        File(f"{top}/6f/bd", b"../../../../usr/sbin/hamctl", mode=0o120777),
    )
    assert failed(judge(tmp_path, replace(BINARY, files=(*BINARY_FILES, *links)))) == set()


def test_capabilities_are_refused(tmp_path: Path) -> None:
    caps = replace(BINARY, tags={Tag.FILECAPS: (ARRAY, ["", "cap_net_raw=p", "="])})
    assert failed(judge(tmp_path, caps)) == {"files.modes"}


def test_hard_links(tmp_path: Path) -> None:
    """newc and the stripped form: the last name holds the data, the others none."""
    data = b"shared\n"
    names = [File(f"/usr/share/doc/ham/{n}", data, inode=77) for n in "abc"]

    def strip_first_two(archive: bytes) -> bytes:
        padded = data + b"\0"
        first = archive.replace(padded, b"", 2)
        return first.replace(b"%08x" % len(data), b"0" * 8, 2)

    linked = replace(BINARY, files=(*BINARY_FILES, *names), archive=strip_first_two)
    assert failed(judge(tmp_path, linked)) == set()
    six = replace(linked, form=6, archive=lambda archive: archive.replace(data + b"\0", b"", 2))
    assert failed(judge(tmp_path, six, RPM_602)) == set()


def test_build_time_by_epoch(tmp_path: Path) -> None:
    assert failed(judge(tmp_path, SOURCE, epoch=BUILD_TIME)) == set()
    assert failed(judge(tmp_path, SOURCE, epoch=BUILD_TIME + 1)) == {"repro.build-time"}


@pytest.mark.parametrize(
    ("line", "spec", "clean"),
    [
        ("Copyright: GPL", DEBIAN, False),
        ("Copyright: GPL", RPM_4423, True),
        ("%patch0 -p1", variant("4.20.1"), False),
        ("%patch0 -p1", DEBIAN, True),
        ("%patch -P 0 -p1", variant("4.20.1"), True),
        ("%patch -P0 -p1", RPM_402, False),
        ("Recommends: kernel", RPM_4423, False),
        ("%if 0\nRecommends: kernel\n%endif", RPM_4423, True),
        ("# Recommends: kernel", RPM_4423, True),
        ("%autosetup -p1", RPM_402, False),
        ("%changelog\n%autosetup", RPM_402, True),
        ("%ifarch i686\n%if %{smp}\n%endif\n%endif", RPM_402, False),
        ("%ifarch i686\n%if 0%{?smp}\n%endif\n%endif", variant("4.2"), False),
        ("%ifarch i686\n%if %{smp}\n%endif\n%endif", variant("4.2.3"), True),
        ('%ifarch i686\n%if "%{smp}" == "1"\n%endif\n%endif', RPM_402, True),
        ("%ifarch i686\n%ifos linux\n%endif\n%endif", RPM_402, True),
        ("%ifarch i686\n%endif\n%if %{smp}\n%endif", RPM_402, True),
    ],
)
def test_spec_inside(tmp_path: Path, line: str, spec: Spec, clean: bool) -> None:
    changed = replace(SPEC, data=SPEC.data + line.encode() + b"\n")
    recipe = replace(OLD_SOURCE, files=(SOURCE_FILES[0], changed))
    assert ("source.spec-dialect" not in failed(judge(tmp_path, recipe, spec))) is clean


@pytest.mark.parametrize("spec", specs.load_all().values(), ids=lambda spec: spec.name)
def test_what_a_distribution_asks_for_suits_it(tmp_path: Path, spec: Spec) -> None:
    """The payload and digest that a spec tells the build to use pass the check for that spec."""
    kinds = {
        "ufdio": "none",
        "gzdio": "gzip",
        "bzdio": "bzip2",
        "xzdio": "xz",
        "lzdio": "lzma",
        "zstdio": "zstd",
    }
    compressor = kinds[spec.rpm.source_payload.partition(".")[2]]
    digest = next(number for number, name in DIGEST_NAMES.items() if name == spec.rpm.file_digest)
    assert failed(judge(tmp_path, replace(SOURCE, compressor=compressor, digest=digest), spec)) == set()


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.rpm", tmp_path, Path("/dev/zero")):
        with pytest.raises(UserError):
            check(CheckRequest(path, DEBIAN), Quiet())
