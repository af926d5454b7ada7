"""Distribution facts: every mistake at once, with file and field."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hamkit import specs
from hamkit.errors import UserError

GOOD = (specs.specs_folder() / "debian-12.toml").read_text()


LINE_24 = {"rh71": "4.0.2", "rh72": "4.0.3", "rh73": "4.0.4", "rh80": "4.1", "rh9": "4.2", "rhel3": "4.2.3"}
MAINLINE = {"el8", "el9", "el10", "fedora", "opensuse-leap", *(f"debian-{n}" for n in range(11, 15))}


def folder_of(path: Path) -> Path:
    """A folder with the dialects that ship and no distribution yet."""
    shutil.copytree(specs.specs_folder() / specs.DIALECTS, path / specs.DIALECTS)
    return path


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        specs.load_all(folder)
    return caught.value.message.splitlines()


def test_the_shipped_ones_load_in_natural_order() -> None:
    known = specs.load_all()
    assert [n for n in known if n.startswith("debian")] == [f"debian-{n}" for n in range(11, 15)]
    assert list(known).index("el9") < list(known).index("el10")
    assert {n: s.rpm.version for n, s in known.items() if s.distribution.line == "2.4"} == LINE_24
    assert {n for n, s in known.items() if s.distribution.line == "mainline"} == MAINLINE


def test_what_rpm_understands_follows_from_its_version() -> None:
    """What real rpm 4.0.2, 4.0.3 and 4.18.0 list with --showrc, and read."""
    known = specs.load_all()
    old = known["rh71"].rpm
    assert set(old.rpmlib) == {
        "VersionedDependencies",
        "CompressedFileNames",
        "PayloadIsBzip2",
        "PayloadFilesHavePrefix",
        "ExplicitPackageProvide",
        "HeaderLoadSortsTags",
    }
    assert (old.payload_compressors, old.file_digests) == (("gzip", "bzip2"), ("md5",))
    assert "%license" not in old.spec_constructs
    assert "parametric macros" not in old.spec_constructs
    assert "Copyright: or Serial:" in old.spec_constructs
    assert set(known["rh72"].rpm.rpmlib) - set(old.rpmlib) == {"ScriptletInterpreterArgs"}
    new = known["debian-12"].rpm
    assert len(new.rpmlib) == 21
    assert new.payload_compressors == ("gzip", "bzip2", "lzma", "xz", "zstd")
    assert "Copyright: or Serial:" not in new.spec_constructs


def test_a_vendor_may_have_ported_a_feature_back(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "debian-12.toml").write_text(GOOD + 'rpmlib = ["CompressedFileNames"]\n')
    assert specs.load("debian-12", folder).rpm.rpmlib == ("CompressedFileNames",)


def test_the_end_of_life_is_told() -> None:
    assert specs.load("rh71").distribution.state == "end of life"
    assert specs.load("el10").distribution.state == "supported"


def test_unverified_fields_must_exist(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    text = 'unverified = ["rpm.version", "rpm.colour", "kernel"]\n' + GOOD
    (folder / "debian-12.toml").write_text(text.replace('family = "debian"', 'family = "beos"'))
    found = mistakes(folder)
    assert "debian-12.toml: unverified: Value error, no such field: rpm.colour, kernel" in found
    assert any(line.startswith("debian-12.toml: distribution.family") for line in found)


def test_mistakes_of_dialects_and_bases(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "dialects" / "el.toml").write_text('license = ""\n')
    (folder / "debian-12.toml").write_text(GOOD.replace('"debian"\nrelease', '"latin"\nrelease'))
    el9 = (specs.specs_folder() / "el9.toml").read_text()
    (folder / "el9.toml").write_text(el9.replace('style_base = "debian-12"', 'style_base = "debian-3"'))
    found = mistakes(folder)
    assert any(line.startswith("dialects/el.toml: license") for line in found)
    assert any(line.startswith("dialects/el.toml: architectures") for line in found)
    assert any(line.startswith("debian-12.toml: rpm.spec_dialect: 'latin' is not one of") for line in found)
    assert not any(line.startswith("el9.toml") and "dialect" in line for line in found)


def test_a_kernel_that_stands_in_is_of_a_distribution_that_can_be_bootstrapped(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    el9 = (specs.specs_folder() / "el9.toml").read_text()
    (folder / "el9.toml").write_text(el9.replace('stand_in = "debian-12"', 'stand_in = "el9"'))
    assert "el9.toml: kernel.stand_in: 'el9' is no distribution with a suite to bootstrap" in mistakes(folder)


def test_a_style_needs_a_base_that_can_be_bootstrapped(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    el9 = (specs.specs_folder() / "el9.toml").read_text()
    (folder / "el9.toml").write_text(el9.replace('style_base = "debian-12"', 'style_base = "debian-3"'))
    assert "el9.toml: image.style_base: 'debian-3' is no distribution with a suite to bootstrap" in (
        mistakes(folder)
    )


def test_a_kernel_source_is_one_file_of_a_2_4_distribution(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    shutil.copy(specs.specs_folder() / "debian-12.toml", folder)
    text = (specs.specs_folder() / "rh71.toml").read_text().replace("[kernel]", "[kernel]\nsource = SOURCE")

    def with_source(value: str) -> Path:
        (folder / "rh71.toml").write_text(text.replace("SOURCE", value))
        return folder

    assert specs.load("rh71", with_source('"http://a/k.tar.gz"')).kernel.source == ("http://a/k.tar.gz",)
    two = '["https://a/k.tar.gz", "file:///b/k.tar.gz"]'
    assert len(specs.load("rh71", with_source(two)).kernel.source) == 2
    for wrong, words in (
        ('"ftp://a/k.tar.gz"', "http, https, file"),
        ('"http://a/"', "name of a file"),
        ('["http://a/k.tar", "http://b/l.tar"]', "one name"),
        ("7", "kernel.source"),
        ('"k.tar"', "kernel.source"),
    ):
        (mistake,) = mistakes(with_source(wrong))
        assert mistake.startswith("rh71.toml: kernel.source")
        assert words in mistake
    (folder / "rh71.toml").unlink()
    good = GOOD.replace("[kernel]", '[kernel]\nsource = "http://a/k.tar.gz"')
    (folder / "debian-12.toml").write_text(good)
    assert 'distribution.line = "2.4"' in mistakes(folder)[0]


def test_variants_belong_to_the_flavours_of_kernel_source(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    text = (specs.specs_folder() / "rh71.toml").read_text()
    (folder / "rh71.toml").write_text(text.replace('"smp", "enterprise"]', '"smp", "bigmem"]'))
    assert len(mistakes(folder)) == 1
    assert "flavours of kernel-source are bigmem, smp, up" in mistakes(folder)[0]


@pytest.mark.parametrize("line", ['_topdir = "/a\\n%x"', 'a = "b"'])
def test_macros_are_one_line_with_a_sound_name(tmp_path: Path, line: str) -> None:
    folder = folder_of(tmp_path)
    (folder / "debian-12.toml").write_text(f"{GOOD}\n[rpm.macros]\n{line}\n")
    assert mistakes(folder)[0].startswith("debian-12.toml: rpm.macros")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="no distribution is called 'debian-99'") as caught:
        specs.load("debian-99")
    assert "debian-12" in caught.value.hint


def test_all_mistakes_of_all_files_at_once(tmp_path: Path) -> None:
    folder_of(tmp_path)
    (tmp_path / "a.toml").write_text("[distribution\n")
    wrong = GOOD.replace('line = "mainline"', 'line = "3.x"').replace('version = "4.18.0"', 'version = "new"')
    (tmp_path / "debian-12.toml").write_text(wrong + "surprise = 1\n")
    with pytest.raises(UserError) as caught:
        specs.load_all(tmp_path)
    lines = caught.value.message.splitlines()
    assert any(line.startswith("a.toml: not readable as TOML") for line in lines)
    assert any(line.startswith("debian-12.toml: distribution.line") for line in lines)
    assert any(line.startswith("debian-12.toml: rpm.version") for line in lines)
    assert any(line.startswith("debian-12.toml: rpm.surprise") for line in lines)


def test_name_must_be_the_files(tmp_path: Path) -> None:
    folder_of(tmp_path)
    (tmp_path / "other.toml").write_text(GOOD)
    with pytest.raises(UserError, match=r"other.toml: distribution.name: 'debian-12' is not"):
        specs.load_all(tmp_path)


def test_digest_must_be_one_that_rpm_knows(tmp_path: Path) -> None:
    text = GOOD.replace('version = "4.18.0"', 'version = "4.4.2"')
    (folder_of(tmp_path) / "debian-12.toml").write_text(text)
    with pytest.raises(UserError, match="file_digest 'sha256' is not among file_digests"):
        specs.load_all(tmp_path)
