"""dist/<distro>/ whole or not at all, and its SHA256SUMS as coreutils reads them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hamkit.errors import Failure, UserError
from hamkit.progress import Quiet
from hamkit.publish.dist import OURS, PublishRequest, publish
from hamkit.publish.record import RunRecord, RunStart, load
from hamkit.publish.sums import verify_sums, write_sums
from hamkit.run import run
from hamkit.stage import Artifact, StageResult, Verdict
from tests.unit.rpm_writer import SOURCE_FILES, File, Recipe, write


def package(content: str) -> bytes:
    """A source RPM that differs by what one of its files holds."""
    return write(Recipe(files=(File("notes", content.encode()), SOURCE_FILES[1])))


def request(folder: Path, **files: str) -> PublishRequest:
    """A run whose one stage wrote ``files`` (name without its dot: content)."""
    made = {}
    for name, content in files.items():
        path = folder / name.replace("_", ".")
        path.write_bytes(package(content) if path.suffix == ".rpm" else content.encode())
        made[path.name] = path
    record = RunRecord(folder / "result.json", RunStart("debian-12", ("release",), ("build", "publish")))
    outputs = tuple(Artifact.of(path) for path in made.values())
    record.add(StageResult("build", Verdict.PASS, 1.0, outputs=outputs))
    return PublishRequest(record.result, made, folder / "dist")


def test_whole_folder(tmp_path: Path) -> None:
    asked = request(tmp_path, ham_src_rpm="source", console_log="ham: loaded\n")
    done = publish(asked, Quiet())
    assert done.folder == tmp_path / "dist" / "debian-12"
    names = {p.name for p in done.folder.iterdir()}
    assert names == {"ham.src.rpm", "console.log", *OURS}
    assert run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=done.folder).returncode == 0
    assert verify_sums(done.folder) == 7
    assert (done.folder / "reproduce.sh").stat().st_mode & 0o777 == 0o755
    assert "ham: loaded" in done.page.read_text()
    assert [p.name for p in (tmp_path / "dist").iterdir()] == ["debian-12"]


def test_record_in_the_folder(tmp_path: Path) -> None:
    done = publish(request(tmp_path, ham_src_rpm="source", console_log="x"), Quiet())
    shipped = load(done.folder / "result.json")
    assert shipped == done.result
    assert shipped.verdict is Verdict.PASS
    assert [stage.name for stage in shipped.stages] == ["build", "publish"]
    assert shipped.logs == ("console.log",)
    assert {file.name for file in shipped.artifacts} == {"ham.src.rpm", "console.log"}
    assert {artifact.path.parent for artifact in done.stage.outputs} == {done.folder}
    for artifact in done.stage.outputs:
        assert Artifact.of(artifact.path) == artifact
    assert str(tmp_path) not in (done.folder / "result.json").read_text()


def test_failed_run_is_published_as_failed(tmp_path: Path) -> None:
    asked = request(tmp_path, console_log="x")
    record = RunRecord(tmp_path / "again.json", RunStart("debian-12", ("release",), ("boot", "prove")))
    record.add(StageResult("boot", Verdict.FAIL, 1.0, "kernel panic"))
    done = publish(PublishRequest(record.result, asked.files, asked.dist), Quiet())
    assert json.loads((done.folder / "result.json").read_text())["verdict"] == "fail"
    assert "kernel panic" in done.page.read_text()


def test_older_folder_is_replaced_by_a_complete_one_only(tmp_path: Path) -> None:
    asked = request(tmp_path, ham_src_rpm="old", notes_txt="old")
    folder = publish(asked, Quiet()).folder
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    gone = {**asked.files, "zz.rpm": tmp_path / "nothing.rpm"}
    with pytest.raises(Failure, match=r"cannot ship zz\.rpm.*No such file"):
        publish(PublishRequest(asked.result, gone, asked.dist), Quiet())
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in asked.dist.iterdir()] == ["debian-12"]
    new = request(tmp_path, ham_src_rpm="new")
    publish(new, Quiet())
    assert (folder / "ham.src.rpm").read_bytes() == package("new")
    assert not (folder / "notes.txt").exists()


def test_file_that_is_not_what_its_stage_wrote(tmp_path: Path) -> None:
    asked = request(tmp_path, ham_src_rpm="proven")
    asked.files["ham.src.rpm"].write_text("swapped")
    with pytest.raises(Failure, match=r"ham\.src\.rpm has changed since its stage wrote it"):
        publish(asked, Quiet())
    assert not asked.dist.joinpath("debian-12").exists()


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../x", ".x", "", "a b", "-x", "x\n", "result.json", "index.html", "SHA256SUMS"]
)
def test_names_that_cannot_be_shipped(tmp_path: Path, name: str) -> None:
    asked = request(tmp_path, ham_src_rpm="x")
    files = {name: asked.files["ham.src.rpm"]}
    with pytest.raises(UserError):
        publish(PublishRequest(asked.result, files, asked.dist), Quiet())
    assert not asked.dist.exists()


def test_folders_within(tmp_path: Path) -> None:
    asked = request(tmp_path, build_log="x")
    done = publish(
        PublishRequest(asked.result, {"logs/b.log": asked.files["build.log"]}, asked.dist), Quiet()
    )
    assert done.result.logs == ("logs/b.log",)
    assert verify_sums(done.folder) == 6


@settings(max_examples=30, deadline=None)
@example(["\\", "a\nb", "\n", "\\n", "a b", " ", "*x", "\r"])
@given(
    st.lists(
        st.text(
            st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
        ).filter(lambda name: name not in {".", "..", "SHA256SUMS"}),
        unique=True,
        max_size=6,
    )
)
def test_sums_of_any_names_are_read_by_coreutils(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in names:
            (folder / name).write_text(name)
        write_sums(folder)
        assert verify_sums(folder) == len(set(names))
        if names:
            run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder)


def test_sums_name_all_that_is_wrong(tmp_path: Path) -> None:
    for name in ("same", "changed", "missing"):
        (tmp_path / name).write_text(name)
    write_sums(tmp_path)
    (tmp_path / "changed").write_text("other")
    (tmp_path / "missing").unlink()
    (tmp_path / "added").write_text("")
    with pytest.raises(Failure) as caught:
        verify_sums(tmp_path)
    for words in ("changed has changed", "missing is missing", "added is not listed"):
        assert words in caught.value.message
    assert "same" not in caught.value.message


@pytest.mark.parametrize("text", ["nonsense\n", "0" * 63 + "  x\n", "\n", "0" * 64 + " x\n"])
def test_sums_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "SHA256SUMS").write_text(text)
    with pytest.raises(Failure, match="line 1 is not a digest and a name"):
        verify_sums(tmp_path)


def test_sums_missing(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot read"):
        verify_sums(tmp_path)
