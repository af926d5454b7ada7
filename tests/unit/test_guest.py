"""The guest's init as rendered: clean shell, the scenario's steps, and what it asks of the packages."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from hamkit import scenarios
from hamkit.errors import Failure
from hamkit.model.scenario import AddStep, Attribute, Machine, RetryStep, Scenario, UseStep
from hamkit.prove import guest
from hamkit.run import run

RELEASE = "6.1.0-50-amd64"
EXTRA = f"/lib/modules/{RELEASE}/extra/ham"
FILES: Mapping[str, bytes] = {
    f"{EXTRA}/ham.ko": b"\x7fELF\0license=GPL\0depends=\0name=ham\0",
    f"{EXTRA}/mhp_sim.ko": b"\x7fELF\0depends=ham,libcrc32c\0",
    "/usr/sbin/hamctl": b"\x7fELF hamctl",
    "/usr/libexec/ham/memfill": b"\x7fELF memfill",
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
    ),
    'it\'s "$(all)" quoted',
)


@pytest.mark.parametrize("scenario", [scenarios.load(), EVERY_ACTION], ids=lambda s: str(s.name))
def test_init_passes_shellcheck(scenario: Scenario, tmp_path: Path) -> None:
    script = tmp_path / "init"
    script.write_text(guest.render_init(RELEASE, FILES, scenario))
    run(["shellcheck", "--shell=dash", str(script)])


def test_init_runs_each_step_once_in_order() -> None:
    text = guest.render_init(RELEASE, FILES, EVERY_ACTION)
    steps = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("step ")]
    assert steps == [
        ["1", "add 0x10000000 + 128M", "add", "0x10000000", "0x8000000", "rw"],
        ["2", "add 0x20000001 + 0 ro", "add", "0x20000001", "0x0", "ro"],
        ["3", "retry", "retry"],
        ["4", "use 64M", "use", str(1 << 26)],
    ]


def test_image_holds_init_applets_and_modules_with_their_index() -> None:
    archive = guest.image(RELEASE, b"\x7fELF busybox", FILES, EVERY_ACTION)
    names = set(run(["cpio", "--quiet", "-t"], data=archive).stdout.splitlines())
    index = f"lib/modules/{RELEASE}/modules.dep"
    assert {"init", "bin/sh", "sbin/modprobe", "dev/console", f"{EXTRA}/ham.ko"[1:], index} <= names


def test_modprobe_index_names_what_a_module_says_it_depends_on() -> None:
    lines = guest.module_dependencies(RELEASE, FILES).splitlines()
    assert lines == ["extra/ham/ham.ko:", "extra/ham/mhp_sim.ko: extra/ham/ham.ko"]


def test_every_applet_is_one_that_busybox_has() -> None:
    busybox = Path("/bin/busybox")
    if not busybox.exists():
        pytest.skip("no /bin/busybox: apt-get install busybox-static")
    assert set(guest.APPLETS) <= set(run([busybox, "--list"]).stdout.split())


@pytest.mark.parametrize("absent", ["hamctl", "memfill", "ham.ko", "mhp_sim.ko"])
def test_what_the_packages_lack_is_named(absent: str) -> None:
    files = {path: content for path, content in FILES.items() if not path.endswith(f"/{absent}")}
    with pytest.raises(Failure, match=absent):
        guest.image(RELEASE, b"busybox", files, EVERY_ACTION)


def test_modules_of_another_kernel_do_not_count() -> None:
    with pytest.raises(Failure, match=r"no ham\.ko for the kernel 5\.10"):
        guest.image("5.10", b"busybox", FILES, EVERY_ACTION)


def test_scenario_without_use_needs_no_memfill() -> None:
    files = {path: content for path, content in FILES.items() if not path.endswith("/memfill")}
    only_add = Scenario("adds", MACHINE, (AddStep(0, 1),))
    assert guest.image(RELEASE, b"busybox", files, only_add)


def test_image_is_the_same_each_time() -> None:
    assert guest.image(RELEASE, b"busybox", FILES, EVERY_ACTION) == guest.image(
        RELEASE, b"busybox", dict(reversed(list(FILES.items()))), EVERY_ACTION
    )
