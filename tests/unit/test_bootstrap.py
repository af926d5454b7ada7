"""bootstrap in a small checkout whose environment holds one package, made here: no index is asked."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import stat
import sys
import time
import zipfile
from pathlib import Path

import pytest

from hamkit.files import project_root
from hamkit.run import SYSTEM_PATH, Completed, run, spawn

pytestmark = pytest.mark.xdist_group("bootstrap")  # one environment is made for all of them
WHEEL = "invoke-1.0-py3-none-any.whl"
PROGRAM = """#!python
import os, sys
import hamkit
print(hamkit.NAME, *sys.argv[1:])
sys.exit(int(os.environ.get("STATUS", "0")))
"""
TOOLS = ("bash", "env", "flock", "sha256sum", "awk", "rm", "mv", "id", "dirname", "readlink", "setpriv")


def make_wheel(folder: Path) -> str:
    """Writes a wheel whose program stands for Invoke; returns its line for the lock."""
    meta = "invoke-1.0.dist-info"
    files = {
        "invoke-1.0.data/scripts/invoke": PROGRAM,
        f"{meta}/METADATA": "Metadata-Version: 2.1\nName: invoke\nVersion: 1.0\n",
        f"{meta}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"{meta}/RECORD"] = f"{record}{meta}/RECORD,,\n"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for name, text in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFREG | 0o755) << 16
            wheel.writestr(member, text)
    return f"invoke==1.0 --hash=sha256:{hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()}\n"


def digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Checkout:
    """A checkout with our own bootstrap, and one run of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "ci").mkdir(parents=True)
        (root / "hamkit").mkdir()
        (root / "hamkit" / "__init__.py").write_text('NAME = "the checkout"\n')
        for name in ("bootstrap", "ci/common.sh", "ci/engine"):
            shutil.copy2(project_root() / name, root / name)
        self.packages("docker.io no-such-engine build why")
        (root / "requirements.lock").write_text(make_wheel(root.parent))
        self.env = {
            "PATH": f"{sys.base_prefix}/bin:{SYSTEM_PATH}",
            "HAM_CACHE": str(root / "cache"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(root.parent),  # pip splits it at blanks
        }

    def packages(self, *rows: str) -> None:
        (self.root / "ci" / "packages.txt").write_text("".join(f"{row}\n" for row in rows))

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def run(self, *words: str, prefix: tuple[str, ...] = (), **env: str) -> Completed:
        command = [*prefix, str(self.root / "bootstrap"), *words]
        return run(command, env=self.env | env, cwd=self.root.parent, check=False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout after its first run."""
    checkout = Checkout(tmp_path_factory.mktemp("machine") / "checkout with blank")
    done = checkout.run("model", "--scenario", "some file", STATUS="4")
    assert done.stdout == f"the checkout --search-root {checkout.root} model --scenario some file\n"
    assert done.returncode == 4
    assert "making .venv" in done.stderr
    return checkout


def test_the_second_run_does_nothing_but_the_task(prepared: Checkout) -> None:
    before = (prepared.venv / ".bootstrap").stat().st_mtime_ns
    done = prepared.run("model")
    assert (done.returncode, done.stderr) == (0, "")
    assert (prepared.venv / ".bootstrap").stat().st_mtime_ns == before


def test_without_a_task_it_lists_them(prepared: Checkout) -> None:
    assert prepared.run().stdout.endswith("--list\n")


def test_help_of_a_task_installs_nothing(prepared: Checkout) -> None:
    prepared.packages("no-such-package no-such-program build why")
    assert prepared.run("build", "--help").stderr == ""


def test_another_lock_makes_the_environment_anew(prepared: Checkout) -> None:
    lock = prepared.root / "requirements.lock"
    lock.write_text(lock.read_text() + "# changed\n")
    assert "making .venv" in prepared.run("model").stderr
    assert prepared.run("model").stderr == ""


def test_what_did_not_end_well_is_made_anew(prepared: Checkout) -> None:
    lock = prepared.root / "requirements.lock"
    good = lock.read_text()
    lock.write_text(good.split("sha256:")[0] + "sha256:" + "0" * 64 + "\n")
    refused = prepared.run("model")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "pip could not install" in refused.stderr

    lock.write_text(good)
    with spawn([prepared.root / "bootstrap", "model"], env=prepared.env) as process:
        while list(prepared.venv.glob("lib/python3*/site-packages/pip")):
            time.sleep(0.01)  # the refused one is being removed
        while not list(prepared.venv.glob("lib/python3*/site-packages/pip")):
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (prepared.venv / ".bootstrap").exists()

    repaired = prepared.run("model")
    assert (repaired.returncode, repaired.stdout.split(" --")[0]) == (0, "the checkout")


def test_a_machine_that_is_not_debian_is_told_what_to_install(prepared: Checkout, tmp_path: Path) -> None:
    for name in TOOLS:
        found = shutil.which(name, path=SYSTEM_PATH)
        assert found
        (tmp_path / name).symlink_to(found)
    prepared.packages("strange-package no-such-program build why", "other - build why")
    done = prepared.run("build", PATH=str(tmp_path))
    assert done.returncode == 0
    assert "not Debian or Ubuntu" in done.stderr
    assert "strange-package" in done.stderr
    assert prepared.run("model", PATH=str(tmp_path)).stderr == ""


def test_a_flag_asks_for_packages_too(prepared: Checkout, tmp_path: Path) -> None:
    for name in TOOLS:
        (tmp_path / name).symlink_to(str(shutil.which(name, path=SYSTEM_PATH)))
    prepared.packages("strange-package no-such-program --tree why", "foreign:i386 no-such --tree why")
    assert prepared.run("build", PATH=str(tmp_path)).stderr == ""
    for words in (("--tree", "x"), ("--tree=x",)):
        said = prepared.run("build", *words, PATH=str(tmp_path)).stderr
        lines = [line for line in said.splitlines() if "not Debian or Ubuntu" in line]
        assert [line.rsplit(" ", 1)[1] for line in lines] == ["strange-package", "foreign:i386"]


def test_without_root_or_sudo_it_says_what_to_ask_for(prepared: Checkout) -> None:
    if run(["unshare", "--user", "true"], check=False).returncode:
        pytest.skip("user namespaces, in which nobody is root, are switched off here")
    prepared.packages("no-such-package no-such-program build why")
    done = prepared.run("build", prefix=("unshare", "--user"))
    assert done.returncode == 0, done.stderr
    assert "apt-get install --no-install-recommends no-such-package" in done.stderr
    assert "./bootstrap doctor" in done.stderr
