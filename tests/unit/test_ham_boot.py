"""What loads HAM at boot: the init script of 2001, and the files for systemd and udev."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hamkit.files import project_root
from hamkit.run import run

BOOT = project_root() / "ham-src" / "boot"
SCRIPT = BOOT / "ham.init"
SHELLS = [name for name in ("sh", "bash", "dash") if shutil.which(name)]


@pytest.mark.parametrize("shell", SHELLS)
def test_usage_is_status_2(shell: str) -> None:
    for words in ([], ["nonsense"]):
        done = run([shell, SCRIPT, *words], check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: ")


def test_status_without_the_module_is_3_and_condrestart_does_nothing() -> None:
    loaded = Path("/proc/modules")
    if loaded.exists() and re.search(r"^ham ", loaded.read_text(), re.MULTILINE):
        pytest.skip("HAM is loaded here")
    done = run(["sh", SCRIPT, "status"], check=False)
    assert (done.returncode, done.stdout) == (3, "ham is not loaded\n")
    assert run(["sh", SCRIPT, "condrestart"]).stdout == ""


def test_chkconfig_finds_its_header() -> None:
    text = SCRIPT.read_text()
    levels = re.search(r"^# chkconfig: (\d+) (\d\d) (\d\d)$", text, re.MULTILINE)
    assert levels is not None
    assert "# description: " in text
    assert not re.search(r"\$\(|\[\[|local ", text), "the shell of 2001 knows none of these"


def test_files_are_installed_where_they_are_read(tmp_path: Path) -> None:
    run(
        ["make", "-C", BOOT.parent, f"OUT={tmp_path / 'out'}", f"DESTDIR={tmp_path / 'root'}", "install-sysv"]
    )
    run(
        [
            "make",
            "-C",
            BOOT.parent,
            f"OUT={tmp_path / 'out'}",
            f"DESTDIR={tmp_path / 'root'}",
            "install-systemd",
        ]
    )
    root = tmp_path / "root"
    found = {p.relative_to(root).as_posix(): p.stat().st_mode & 0o777 for p in root.rglob("*") if p.is_file()}
    assert found == {
        "etc/rc.d/init.d/ham": 0o755,
        "usr/lib/modules-load.d/ham.conf": 0o644,
        "usr/lib/udev/rules.d/60-ham.rules": 0o644,
    }


def test_udev_takes_the_rules() -> None:
    if shutil.which("udevadm") is None:
        pytest.skip("udevadm is not installed: apt-get install udev")
    done = run(["udevadm", "verify", BOOT / "udev.rules"], check=False)
    if "nknown" in done.stderr and "verify" in done.stderr:
        pytest.skip("this udevadm verifies no rules")
    assert done.returncode == 0, done.stderr
