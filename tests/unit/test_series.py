"""The series: its plan, edits, counts, diffs and checks, on small sources of our own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.progress import Quiet
from hamkit.render.series import SeriesRequest, check_tree, render_series, spatch
from hamkit.render.series.diff import Change, changes, mail, statistics
from hamkit.render.series.misses import SeriesMiss, candidates
from hamkit.render.series.overlay import Overlay, digest
from hamkit.render.series.plan import BLANKS, Edit, Patch, Rules, load_plan, loose
from hamkit.render.series.steps import Work, carry_out

PATCHES = project_root() / "patches"
needs_spatch = pytest.mark.skipif(shutil.which("spatch") is None, reason="spatch: apt-get install coccinelle")

SOURCE = """\
int limit;

int scan(int left)
{
	while (left) {
		if (skip(left))
			continue;
		left--;
	}
	return report("left %d", left);
}
"""
RULE = """\
@bounded@
position p;
@@
 scan(...) {
 <...
- skip@p(left)
+ skip(left--)
 ...>
 }
"""


def work(tmp_path: Path, **facts: object) -> Work:
    tree = tmp_path / "tree"
    (tree / "mm").mkdir(parents=True)
    (tree / "mm" / "scan.c").write_text(SOURCE)
    folder = tmp_path / "patches"
    folder.mkdir()
    (folder / "scan.cocci").write_text(RULE)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Work(Overlay(tree), folder, {"facts": facts, "reserve_mb": 77}, scratch)


def edit(find: str, put: str, fires: int = 1, file: str = "mm/scan.c", **when: bool | int | str) -> Edit:
    return Edit(name="test", file=file, find=find, put=put, fires=fires, when=when)


def patch(*items: Edit | Rules) -> Patch:
    return Patch(
        name="test",
        subject="Test",
        rationale="Why.",
        rules=tuple(item for item in items if isinstance(item, Rules)),
        edits=tuple(item for item in items if isinstance(item, Edit)),
    )


def test_the_plan_uses_every_semantic_patch_and_counts_every_rule() -> None:
    plan = load_plan(PATCHES)
    named = {rules.cocci for one in plan.patch for rules in one.rules}
    assert named == {path.name for path in PATCHES.glob("*.cocci")}
    for one in plan.patch:
        for rules in one.rules:
            bodies = spatch.bodies((PATCHES / rules.cocci).read_text())
            assert set(bodies) == set(rules.fires), rules.cocci
            assert all("position p;" in body and "@p" in body for body in bodies.values()), rules.cocci


def test_the_plan_has_the_concerns_in_order() -> None:
    names = [one.name for one in load_plan(PATCHES).patch]
    assert names == ["init-pgdat", "reserve", "page-macros", "allocator", "core", "reports", "config"]


def test_mistakes_of_a_plan_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "series.toml").write_text(
        '[[patch]]\nname = "Bad Name"\nsubject = "x"\nrationale = ""\n'
        '[[patch.edits]]\nname = "e"\nfile = "../etc/passwd"\nfind = "("\nput = ""\nfires = 0\n'
    )
    with pytest.raises(UserError) as caught:
        load_plan(tmp_path)
    for field in ("patch.0.name", "patch.0.edits.0.file", "patch.0.edits.0.find", "patch.0.edits.0.fires"):
        assert field in caught.value.message


def test_a_fact_that_the_series_needs(tmp_path: Path) -> None:
    plan = load_plan(PATCHES)
    good = {need.fact: need.values[0] for need in plan.needs}
    assert plan.unsupported(good) == ()
    (reason,) = plan.unsupported(good | {"balance_variants": 3})
    assert "balance_variants is 3" in reason


def test_an_edit_replaces_with_groups_and_the_reserve(tmp_path: Path) -> None:
    state = work(tmp_path)
    carry_out(patch(edit(r"^int (limit);", r"int \1 = @reserve_mb@;")), state)
    assert state.misses == []
    assert "int limit = 77;" in state.overlay.current["mm/scan.c"]
    assert (state.overlay.root / "mm" / "scan.c").read_text() == SOURCE


@pytest.mark.parametrize(
    "laid_out",
    [
        "\tint a, b;\n\tcall(a);\n",
        "        int  a, b;\n        call(a);\n",
        "\tint a, b;  \n\tcall(a);\t\n",
        "\tint a, b;\t/* both */\n\tcall(a); // one\n",
        "\tint a, b;\n\t/* two\n\t * lines */\n\tcall(a);\n",
    ],
)
def test_an_edit_takes_other_layouts_and_keeps_them(tmp_path: Path, laid_out: str) -> None:
    state = work(tmp_path)
    path = state.overlay.root / "mm" / "scan.c"
    path.write_text(f"{{\n{laid_out}/* not part of it */\n}}\n")
    carry_out(patch(edit(r"^(\tint a, b;\n)(\tcall\(a\);\n)", r"#if 1\n\1\2#endif\n")), state)
    assert state.misses == []
    assert state.overlay.current["mm/scan.c"] == f"{{\n#if 1\n{laid_out}#endif\n/* not part of it */\n}}\n"


@pytest.mark.parametrize("other", ["\tint a, c;\n\tcall(a);\n", "\tint a, b;\n\n\tmore();\n\tcall(a);\n"])
def test_other_code_is_no_other_layout(tmp_path: Path, other: str) -> None:
    state = work(tmp_path)
    (state.overlay.root / "mm" / "scan.c").write_text(other)
    carry_out(patch(edit(r"^\tint a, b;\n\tcall\(a\);\n", "")), state)
    assert [(miss.fired, miss.wanted) for miss in state.misses] == [(0, 1)]


def test_a_class_of_characters_stays_as_it_is() -> None:
    assert loose(r"^a\t\tb[ \t\n]* [^\n]+\+$") == rf"^a{BLANKS}b[ \t\n]*{BLANKS}[^\n]+\+$"


@needs_spatch
def test_lines_that_end_in_cr_lf_go_on_doing_so(tmp_path: Path) -> None:
    state = work(tmp_path)
    path = state.overlay.root / "mm" / "scan.c"
    path.write_bytes(SOURCE.replace("\n", "\r\n").encode())
    rules = Rules(cocci="scan.cocci", file="mm/scan.c", fires={"bounded": 1})
    carry_out(patch(rules, edit(r"^int limit;\n", r"\g<0>int more;\n")), state)
    expected = SOURCE.replace("skip(left)", "skip(left--)").replace("limit;\n", "limit;\nint more;\n")
    assert state.misses == []
    assert state.overlay.current["mm/scan.c"] == expected.replace("\n", "\r\n")


@needs_spatch
def test_a_single_carriage_return_survives(tmp_path: Path) -> None:
    state = work(tmp_path)
    (state.overlay.root / "mm" / "scan.c").write_bytes(SOURCE.replace("limit;", "limit;\r").encode())
    carry_out(patch(Rules(cocci="scan.cocci", file="mm/scan.c", fires={"bounded": 1})), state)
    assert "int limit;\r\n" in state.overlay.current["mm/scan.c"]
    assert "skip(left--)" in state.overlay.current["mm/scan.c"]


def test_an_edit_for_other_facts_is_left_out(tmp_path: Path) -> None:
    state = work(tmp_path, wide=False)
    carry_out(patch(edit("nowhere", "", wide=True)), state)
    assert state.misses == []
    with pytest.raises(UserError, match="narrow"):
        carry_out(patch(edit("nowhere", "", narrow=True)), state)


def test_all_misses_are_collected_with_their_nearest_lines(tmp_path: Path) -> None:
    state = work(tmp_path)
    carry_out(
        patch(edit(r"^long limit;", ""), edit("left", "", fires=2), edit("x", "", file="mm/gone.c")), state
    )
    first, second, third = state.misses
    assert (first.fired, first.wanted, first.candidates[0]) == (0, 1, "line 1: int limit;")
    assert second.fired > second.wanted
    assert "not in the tree" in str(third)
    assert all(miss.file in SeriesMiss(state.misses).message for miss in state.misses)


@needs_spatch
def test_a_rule_is_counted_and_applied(tmp_path: Path) -> None:
    state = work(tmp_path)
    carry_out(patch(Rules(cocci="scan.cocci", file="mm/scan.c", fires={"bounded": 1})), state)
    assert state.misses == []
    assert "if (skip(left--))" in state.overlay.current["mm/scan.c"]


@needs_spatch
def test_a_rule_that_fires_too_seldom_says_where_it_might(tmp_path: Path) -> None:
    state = work(tmp_path)
    text = SOURCE.replace("skip(left)", "skip_over(left)") + "int skip(int left);\n"
    (state.overlay.root / "mm" / "scan.c").write_text(text)
    carry_out(patch(Rules(cocci="scan.cocci", file="mm/scan.c", fires={"bounded": 1})), state)
    (miss,) = state.misses
    assert (miss.fired, miss.rule) == (0, "scan.cocci bounded")
    assert any("int skip(int left);" in line for line in miss.candidates)


@needs_spatch
def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    text = SOURCE.replace("limit;", "limit;	/* gr\xf6\xdfte */")
    applied = spatch.apply(RULE, "mm/scan.c", text, tmp_path)
    assert "gr\xf6\xdfte" in applied.text
    assert applied.fired["bounded"] == 1


def test_rules_without_a_count_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bounded"):
        carry_out(patch(Rules(cocci="scan.cocci", file="mm/scan.c", fires={"other": 1})), work(tmp_path))


def test_candidates_prefer_lines_that_share_more() -> None:
    assert candidates("report(left_over)", "report();\nreport(left_over);\n")[0].startswith("line 2")
    assert candidates("nothing_here", SOURCE) == ()


def test_a_diff_of_changed_new_and_unended_files() -> None:
    changed = changes(
        {"a.c": "one\ntwo\n", "b.c": None, "c.c": "x", "d.c": "same\n"},
        {"a.c": "one\n2\n", "b.c": "new\n", "c.c": "y", "d.c": "same\n"},
    )
    assert [change.path for change in changed] == ["a.c", "b.c", "c.c"]
    assert [change.counts for change in changed] == [(1, 1), (1, 0), (1, 1)]
    assert "new file mode 100644\n" in changed[1].lines
    assert "--- /dev/null\n" in "".join(changed[1].lines)
    assert "".join(changed[2].lines).count("\\ No newline at end of file") == 2


def test_a_form_feed_ends_no_line() -> None:
    change = Change("a.c", "one\n\x0ctwo\n", "one\n\x0c2\n")
    assert "-\x0ctwo\n" in change.lines


def test_statistics_and_mail() -> None:
    changed = (Change("mm/a.c", "1\n", "2\n"), Change("long/path.c", None, "3\n"))
    assert statistics(changed).endswith(" 2 files changed, 2 insertions(+), 1 deletions(-)\n")
    text = mail(2, 7, "Subject", "\nWhy.\n", changed)
    assert text.startswith("From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n")
    assert "Subject: [PATCH 2/7] Subject\n\nWhy.\n---\n" in text
    assert "Date: Thu, 1 Nov 2001 00:00:00 +0000\n" in text


def test_another_tree_and_an_applied_one_are_detected(tmp_path: Path) -> None:
    tree, series = tmp_path / "tree", tmp_path / "series"
    tree.mkdir()
    series.mkdir()
    files = {
        "a.c": {"before": digest("old\n"), "after": digest("new\n")},
        "b.c": {"before": None, "after": digest("b\n")},
    }
    (series / "manifest.json").write_text(json.dumps({"files": files}))
    (tree / "a.c").write_text("old\n")
    check_tree(series, tree)
    (tree / "a.c").write_text("other\n")
    with pytest.raises(UserError, match=r"another tree: a\.c differs"):
        check_tree(series, tree)
    (tree / "a.c").write_text("new\n")
    (tree / "b.c").write_text("b\n")
    with pytest.raises(UserError, match="applied"):
        check_tree(series, tree)
    with pytest.raises(UserError, match="cannot read"):
        check_tree(tmp_path, tree)


@pytest.mark.parametrize("size", [0, 15, 641])
def test_a_reserve_out_of_bounds(tmp_path: Path, size: int) -> None:
    with pytest.raises(UserError, match=str(size)):
        render_series(SeriesRequest(tmp_path, tmp_path / "out", size), Quiet())


def test_what_is_no_kernel_tree(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        render_series(SeriesRequest(tmp_path, tmp_path / "out"), Quiet())
    assert not (tmp_path / "out").exists()


def test_a_patched_tree_is_called_so_whatever_its_probes_say(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(project_root() / "tests" / "data" / "kernel" / "small24", tree)
    (tree / "include" / "linux" / "mem_hotadd.h").write_text("")
    page = tree / "include" / "asm-i386" / "page.h"
    page.write_text(
        page.read_text().replace("VALID_PAGE(page)", "VALID_PAGE(page) hotadd_page_valid(page) //")
    )
    with pytest.raises(UserError, match="patched already"):
        render_series(SeriesRequest(tree, tmp_path / "out"), Quiet())


@pytest.mark.parametrize("place", ["tree", ".", "tree/mm", "full"])
def test_only_a_series_is_replaced(tmp_path: Path, place: str) -> None:
    shutil.copytree(project_root() / "tests" / "data" / "kernel" / "small24", tmp_path / "tree")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"holds it or lies in it|holds something else"):
        render_series(SeriesRequest(tmp_path / "tree", tmp_path / place), Quiet())
    assert sorted(tmp_path.rglob("*")) == before
