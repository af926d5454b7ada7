"""The guest: the plan that its init follows, and what it asks of the packages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hamkit.errors import Failure, UserError
from hamkit.files import project_root
from hamkit.model.scenario import (
    AbuseStep,
    AddStep,
    Attribute,
    FaultStep,
    Machine,
    RetryStep,
    Scenario,
    UseStep,
)
from hamkit.prove import guest, plan
from hamkit.prove.report import FILES as FILES_OF_A_STEP
from hamkit.run import run

RELEASE = "6.1.0-50-amd64"
EXTRA = f"/lib/modules/{RELEASE}/extra/ham"
FILES: Mapping[str, bytes] = {
    f"{EXTRA}/ham.ko": b"\x7fELF\0license=GPL\0depends=\0name=ham\0",
    f"{EXTRA}/mhp_sim.ko": b"\x7fELF\0depends=ham,libcrc32c\0",
    "/usr/sbin/hamctl": b"\x7fELF hamctl",
    "/usr/libexec/ham/hamabuse": b"\x7fELF hamabuse",
    "/usr/libexec/ham/haminit": b"\x7fELF haminit",
    "/usr/share/doc/ham/README": b"text",
}
MACHINE = Machine(1 << 30, 1 << 28)
EVERY_ACTION = Scenario(
    "every",
    MACHINE,
    (
        AddStep(0x10000000, 1 << 27),
        AddStep(0x20000001, 0, Attribute.RO),
        RetryStep(),
        UseStep(1 << 26),
        FaultStep(2),
        AbuseStep(),
    ),
    'it\'s "$(all)" quoted',
)


def lines(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def test_plan_runs_each_step_once_in_order() -> None:
    found = lines(guest.scenario_plan(RELEASE, FILES, EVERY_ACTION))
    assert [line[1:] for line in found if line[0] == "step"] == [
        ["add 0x10000000 + 128M", "add", "0x10000000", "0x8000000", "rw"],
        ["add 0x20000001 + 0 ro", "add", "0x20000001", "0x0", "ro"],
        ["retry", "retry"],
        ["use 64M", "use", str(1 << 26)],
        ["fault 2", "fault", "2"],
        ["abuse", "run", "hamabuse"],
    ]


def test_plan_says_where_modules_and_programs_are_and_what_is_reported() -> None:
    found = lines(guest.scenario_plan(RELEASE, FILES, EVERY_ACTION))
    assert ["module", "ham", f"{EXTRA}/ham.ko"] in found
    assert ["program", "hamctl", "/usr/sbin/hamctl"] in found
    assert ["load", "ham"] in found
    assert {line[1] for line in found if line[0] == "report"} == set(FILES_OF_A_STEP)
    assert ["report-once", "/proc/cpuinfo"] in found


@pytest.mark.parametrize("word", ["a\tb", "a\nb", ""])
def test_a_word_that_would_break_the_plan_is_refused(word: str) -> None:
    with pytest.raises(UserError, match="cannot stand in the guest's plan"):
        plan.render(plan.Plan({"ham": word}, {}, (), ()))


def test_flags_of_the_plan() -> None:
    text = plan.render(plan.Plan({}, {}, ("dmesg",), (), ("/proc/cpuinfo",), (), pause=True, reboot=True))
    assert text == "report\tdmesg\nreport-once\t/proc/cpuinfo\npause\nreboot\n"


def test_a_guest_that_serves_is_asked_for_the_lines_of_the_plan() -> None:
    found = lines(guest.scenario_plan(RELEASE, FILES, EVERY_ACTION, serve=True))
    assert [line for line in found if line[0] in ("step", "pause", "serve")] == [["serve"]]
    assert found[-1] == ["serve"]  # when HAM is loaded
    asked = "".join(plan.request(step) for step in EVERY_ACTION.steps)
    planned = lines(guest.scenario_plan(RELEASE, FILES, EVERY_ACTION))
    assert lines(asked) == [line for line in planned if line[0] == "step"]


def test_the_guest_knows_every_word_of_a_plan() -> None:
    sources = project_root() / "ham-src" / "guest"
    known = "".join((sources / name).read_text() for name in ("text.c", "steps.c"))
    spoken = lines(guest.scenario_plan(RELEASE, FILES, EVERY_ACTION))
    spoken += lines(guest.scenario_plan(RELEASE, FILES, EVERY_ACTION, serve=True))
    for word in {line[0] for line in spoken} | {line[2] for line in spoken if line[0] == "step"}:
        assert f'{{ "{word}", ' in known, word
    assert f"#define MOST_WORDS\t{plan.MOST_WORDS}\n" in (sources / "haminit.h").read_text()
    assert f'#define PLAN\t\t"{plan.PATH}"\n' in (sources / "haminit.h").read_text()


def test_image_holds_init_plan_and_what_the_kernel_asks_for() -> None:
    archive = guest.image(RELEASE, FILES, EVERY_ACTION)
    names = set(run(["cpio", "--quiet", "-t"], data=archive).stdout.splitlines())
    assert {"init", "plan", "sbin/modprobe", "dev/console", "proc", "sys", f"{EXTRA}/ham.ko"[1:]} <= names


@pytest.mark.parametrize("absent", ["hamctl", "hamabuse", "haminit", "ham.ko", "mhp_sim.ko"])
def test_what_the_packages_lack_is_named(absent: str) -> None:
    files = {path: content for path, content in FILES.items() if not path.endswith(f"/{absent}")}
    with pytest.raises(Failure, match=absent):
        guest.image(RELEASE, files, EVERY_ACTION)


def test_modules_of_another_kernel_do_not_count() -> None:
    with pytest.raises(Failure, match=r"no ham\.ko for the kernel 5\.10"):
        guest.image("5.10", FILES, EVERY_ACTION)


def test_scenario_without_misuse_needs_no_hamabuse() -> None:
    files = {path: content for path, content in FILES.items() if not path.endswith("/hamabuse")}
    only_add = Scenario("adds", MACHINE, (AddStep(0, 1),))
    assert guest.image(RELEASE, files, only_add)


def test_image_is_the_same_each_time() -> None:
    assert guest.image(RELEASE, FILES, EVERY_ACTION) == guest.image(
        RELEASE, dict(reversed(list(FILES.items()))), EVERY_ACTION
    )
