"""What is published already: every kind of place, what each rule refuses, and places that are hostile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import specs
from hamkit.errors import HamkitError, UserError
from hamkit.progress import Quiet
from hamkit.prove.rpm import CheckRequest, CheckResult, Finding, as_json, as_sarif, check
from hamkit.prove.rpm.published.listing import parse_nevra
from hamkit.rpmfiles.tags import TAG_KINDS, Tag
from hamkit.stage import Verdict
from tests.unit.rpm_writer import BINARY_FILES, Recipe, Values, write

DEBIAN = specs.load("debian-12")
BINARY = Recipe(source=False, files=BINARY_FILES)
RULES = ("name", "arch", "republished", "epoch", "upgrade", "obsoleted", "replaces")


def recipe(base: Recipe = BINARY, /, **tags: Values) -> Recipe:
    """A package with other tags: ``recipe(VERSION=["2"])``."""
    return replace(base, tags={Tag[name]: (TAG_KINDS[Tag[name]], value) for name, value in tags.items()})


def dependency(kind: str, name: str, flags: int = 0, version: str = "") -> dict[str, Values]:
    return {f"{kind}NAME": [name], f"{kind}FLAGS": [flags], f"{kind}VERSION": [version]}


def put(folder: Path, name: str, content: Recipe) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(write(content))
    return path


def judge(package: Path, *places: Path | str) -> CheckResult:
    asked = CheckRequest(package, DEBIAN, repositories=tuple(map(str, places)))
    return check(asked, Quiet())


def told(result: CheckResult) -> dict[str, Finding]:
    """Findings of the rules on repositories by short name."""
    found = [f for f in result.findings if f.rule.startswith("repository.")]
    return {f.rule.removeprefix("repository."): f for f in found}


def failed(result: CheckResult) -> set[str]:
    return {name for name, finding in told(result).items() if finding.verdict is Verdict.FAIL}


def published(tmp_path: Path, **tags: Values) -> Path:
    put(tmp_path / "repo", "published.rpm", recipe(**tags))
    return tmp_path / "repo"


def mine(tmp_path: Path, base: Recipe = BINARY, /, **tags: Values) -> Path:
    return put(tmp_path / "new", "mine.rpm", recipe(base, **tags))


def test_without_a_repository_nothing_is_asked(tmp_path: Path) -> None:
    result = judge(mine(tmp_path))
    assert told(result) == {}
    assert result.stage.verdict is Verdict.PASS


def test_newer_than_what_is_published_passes(tmp_path: Path) -> None:
    result = judge(mine(tmp_path, VERSION=["1.1"]), published(tmp_path))
    assert result.stage.verdict is Verdict.PASS
    assert set(told(result)) == set(RULES)
    assert "newer than the published ham-1.0-1.x86_64" in told(result)["upgrade"].seen


def test_the_first_of_its_name_passes(tmp_path: Path) -> None:
    result = judge(mine(tmp_path), published(tmp_path, NAME=["other"]))
    assert result.stage.verdict is Verdict.PASS
    assert "the first ham in" in told(result)["name"].seen


@pytest.mark.parametrize(
    ("ours", "theirs", "rule", "remedy"),
    [
        (
            {"VERSION": ["1.0.0"]},
            {"VERSION": ["1.0.1~1"]},
            "upgrade",
            "invoke version.bump --part patch",
        ),
        ({"VERSION": ["1.0.0"]}, {"VERSION": ["1.0.9"]}, "upgrade", "1.1.0: invoke version.bump --part min"),
        ({"VERSION": ["1.0.0"]}, {"VERSION": ["1.7.0"]}, "upgrade", "2.0.0: invoke version.bump --part maj"),
        ({"VERSION": ["1.0.0"]}, {"VERSION": ["4.0.0"]}, "upgrade", "invoke version.bump --to 5.0.0"),
        ({"VERSION": ["1.0"]}, {"VERSION": ["2.0"]}, "upgrade", "invoke version.bump --to 3.0.0"),
        ({"VERSION": ["2~rc1"]}, {"VERSION": ["2"]}, "upgrade", "invoke version.bump --to 3.0.0"),
        ({"RELEASE": ["1"]}, {"RELEASE": ["10"]}, "upgrade", "raise Release"),
        ({"RELEASE": ["2"]}, {"EPOCH": [1]}, "epoch", "Epoch: 1 in the preamble"),
        ({"EPOCH": [1], "VERSION": ["9"]}, {"EPOCH": [2]}, "epoch", "Epoch: 2 in the preamble"),
        ({"VERSION": ["1.00"]}, {"VERSION": ["1.0"]}, "republished", "--part patch"),
        ({}, {"NAME": ["Ham"]}, "name", "Name in the preamble"),
        ({}, {"ARCH": ["i386"], "RELEASE": ["0"]}, "arch", "--target"),
    ],
)
def test_each_way_of_not_being_an_upgrade(
    tmp_path: Path, ours: dict[str, Values], theirs: dict[str, Values], rule: str, remedy: str
) -> None:
    result = judge(mine(tmp_path, **ours), published(tmp_path, **theirs))
    assert failed(result) == {rule}
    assert remedy in told(result)[rule].fix
    assert result.stage.verdict is Verdict.FAIL


def test_the_remedy_is_true(tmp_path: Path) -> None:
    """What each advice names is taken for an upgrade."""
    repo = published(tmp_path, VERSION=["1.0.9"], RELEASE=["7"])
    assert failed(judge(mine(tmp_path, VERSION=["1.1.0"]), repo)) == set()
    repo = published(tmp_path, EPOCH=[1], VERSION=["5"])
    assert failed(judge(mine(tmp_path, EPOCH=[1], VERSION=["6.0.0"]), repo)) == set()


def test_the_same_bytes_may_be_published_again(tmp_path: Path) -> None:
    result = judge(mine(tmp_path), published(tmp_path))
    assert failed(result) == set()
    assert told(result)["republished"].seen == "ham-1.0-1.x86_64 is published, the same bytes"


def test_other_bytes_under_the_same_name_are_refused(tmp_path: Path) -> None:
    result = judge(mine(tmp_path, SUMMARY=["Another"]), published(tmp_path))
    assert failed(result) == {"republished"}
    assert told(result)["republished"].seen.startswith(
        "ham-1.0-1.x86_64 is published with other bytes: sha256 "
    )


def test_a_signed_copy_is_told_apart(tmp_path: Path) -> None:
    signed = replace(BINARY, signature={1005: (7, b"a signature")})
    put(tmp_path / "repo", "signed.rpm", signed)
    result = judge(mine(tmp_path), tmp_path / "repo")
    assert failed(result) == {"republished"}
    assert told(result)["republished"].seen.endswith("only the signature is another")


def test_architectures_that_replace_each_other(tmp_path: Path) -> None:
    assert failed(judge(mine(tmp_path, VERSION=["2"]), published(tmp_path, ARCH=["noarch"]))) == set()
    assert failed(judge(mine(tmp_path), published(tmp_path, ARCH=["noarch"], VERSION=["2"]))) == {"upgrade"}


def test_source_packages_are_held_against_source_packages(tmp_path: Path) -> None:
    put(tmp_path / "repo", "source.rpm", recipe(Recipe(), VERSION=["3"]))
    put(tmp_path / "repo", "binary.rpm", recipe(VERSION=["9"]))
    result = judge(mine(tmp_path, Recipe(), VERSION=["2"]), tmp_path / "repo")
    assert failed(result) == {"upgrade"}
    assert "ham-3-1.src" in told(result)["upgrade"].seen


def test_the_newest_of_many_counts(tmp_path: Path) -> None:
    for number in ("1.9", "1.10", "1.2"):
        put(tmp_path / "repo" / number, "ham.rpm", recipe(VERSION=[number]))
    put(tmp_path / "two", "ham.rpm", recipe(VERSION=["1.11"]))
    assert "ham-1.10-1" in told(judge(mine(tmp_path), tmp_path / "repo"))["upgrade"].seen
    assert "ham-1.11-1" in told(judge(mine(tmp_path), tmp_path / "repo", tmp_path / "two"))["upgrade"].seen


@pytest.mark.parametrize(
    ("ours", "theirs", "wrong"),
    [
        ({}, dependency("OBSOLETE", "ham", 2, "2"), {"obsoleted"}),
        ({}, dependency("OBSOLETE", "ham"), {"obsoleted"}),
        ({}, dependency("OBSOLETE", "ham", 2, "1.0"), set()),
        (dependency("OBSOLETE", "old"), {}, set()),
        (dependency("OBSOLETE", "old", 2, "2"), {}, set()),
        (dependency("OBSOLETE", "old", 2, "1.0"), {}, {"replaces"}),
        (dependency("PROVIDE", "old", 8, "2"), {}, {"replaces"}),
        (dependency("PROVIDE", "old", 8, "2") | dependency("OBSOLETE", "old", 2, "2"), {}, set()),
        (dependency("PROVIDE", "old") | dependency("CONFLICT", "old"), {}, set()),
    ],
)
def test_what_replaces_what(
    tmp_path: Path, ours: dict[str, Values], theirs: dict[str, Values], wrong: set[str]
) -> None:
    result = judge(mine(tmp_path, **ours), published(tmp_path, NAME=["old"], **theirs))
    assert failed(result) == wrong


def test_lists_of_rpm(tmp_path: Path) -> None:
    listing = tmp_path / "installed"
    listing.write_text("gpg-pubkey-8483c65d-5ccc5b19\nbash-5.1-2.x86_64\nham-2:1.0-3.x86_64\n\n")
    result = judge(mine(tmp_path, EPOCH=[2]), listing)
    assert failed(result) == {"upgrade"}
    assert "(list of 3)" in told(result)["name"].seen
    same = judge(mine(tmp_path, EPOCH=[2], RELEASE=["3"]), listing)
    assert told(same)["republished"].verdict is Verdict.NOT_RUN
    assert same.stage.verdict is Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("ham-1.0-1.el9.x86_64", "ham-1.0-1.el9.x86_64"),
        ("ham-1.0-1.el9", "ham-1.0-1.el9."),
        ("kernel-module-ham-2:1.0-1.i686", "kernel-module-ham-2:1.0-1.i686"),
        ("3:ham-1.0-1.noarch", "ham-3:1.0-1.noarch"),
        ("ham-(none):1.0-1.noarch", "ham-1.0-1.noarch"),
        ("ham-1.0-1.src.rpm", "ham-1.0-1.src"),
        ("gpg-pubkey-1-2.(none)", "gpg-pubkey-1-2."),
        ("ham", None),
        ("ham-1.0", None),
        ("ham 1.0 1", None),
        ("99999999999:ham-1.0-1", None),
    ],
)
def test_full_names(text: str, full: str | None) -> None:
    found = parse_nevra(text)
    assert (str(found) if found else None) == full


def test_places_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").write_text("these are\nno packages\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\0\0")
    (tmp_path / "nothing").write_text("\n")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.rpm").write_bytes(b"\xed\xab\xee\xdb junk")
    wrong: dict[str, str] = {
        "nowhere": "is not there",
        "empty": "holds no RPM and no repodata",
        "words": "line 1 is no package: these are",
        "bytes": "neither a package nor a list",
        "nothing": "lists no package",
        "bad": "x.rpm is no sound package",
    }
    for name, why in wrong.items():
        with pytest.raises(HamkitError) as refused:
            judge(mine(tmp_path), tmp_path / name)
        assert (refused.value.exit_code, why in refused.value.message) == (2, True), refused.value
    with pytest.raises(UserError, match="neither a folder nor a file"):
        judge(mine(tmp_path), "/dev/null")
    with pytest.raises(UserError, match="on another machine"):
        judge(mine(tmp_path), "file://elsewhere/repo")


def test_reports_tell_of_repositories(tmp_path: Path) -> None:
    new = mine(tmp_path, SUMMARY=["Another"])
    result = judge(new, published(tmp_path))
    told_json = {f["rule"]: f for f in as_json(result)["findings"]}
    assert told_json["repository.republished"]["verdict"] == "fail"
    log = json.loads(as_sarif(result, new))["runs"][0]
    wrong = [r["ruleId"] for r in log["results"] if r["kind"] == "fail"]
    assert wrong == ["repository.republished"]
    assert "version.bump" in next(r for r in log["results"] if r["kind"] == "fail")["message"]["text"]
