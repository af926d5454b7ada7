"""What every task needs: help of shared flags, errors as words and an exit status.

Light to import: every task waits for it.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from invoke import Exit

from hamkit import show
from hamkit.errors import UserError
from hamkit.files import project_root

TREE = "kernel source: a folder, an archive, a source RPM, a URL, or a name in the cache's kernels/"
HELP = {
    "distro": "distribution, one of `invoke specs`",
    "flavour": "kernel flavour; the distribution's first when not given; up or smp with --tree",
    "scenario": "scenario file (TOML); the default scenario when not given",
    "out": "folder for what is made",
    "json": "JSON on standard output, words on standard error",
    "dry_run": "show the plan and what the cache holds, do nothing",
    "renew": "use nothing from the cache",
    "keep": "keep this run's logs and work files in a folder of their own",
    "tree": TREE,
    "highmem": "with --tree: 4G or 64G (PAE); what the stock kernel bears when not given",
    "toolchain": "with --tree: name of a compiler in the cache's toolchains/, or its path",
    "reserve_mb": "with --tree: kernel address space for struct pages, MiB; the scenario's when not given",
    "modversions": "with --tree: a kernel whose symbols carry versions",
    "stand_in": "where the distribution's kernel cannot be had, another one's (specs: kernel.stand_in)",
    "lock": "install these package versions in the image: build-environment.txt of a release",
    "testing": "build HAM with its test ioctl and fault injection (never for a release)",
}


def help_for(*names: str) -> dict[str, str]:
    return {name: HELP[name] for name in names}


def leave(code: int) -> Exit:
    return Exit(code=code)


def told(json: bool) -> AbstractContextManager[None]:
    return show.told(json, leave, _what_is_missing)


def _what_is_missing() -> str:
    from hamkit import doctor as doctoring  # noqa: PLC0415 - asked when something is

    return doctoring.summary(doctoring.diagnose())


def given(flag: str, value: str, example: str) -> str:
    """The value of a flag that a task cannot do without. Raises UserError when it is empty."""
    if not value:
        raise UserError(f"--{flag} is not given", f"for example --{flag} {example}")
    return value


def out_folder(out: str, distro: str) -> Path:
    return Path(out) if out else project_root() / "build" / distro


def dist_folder(out: str) -> Path:
    """The folder that holds one release a distribution."""
    return Path(out) if out else project_root() / "dist"
