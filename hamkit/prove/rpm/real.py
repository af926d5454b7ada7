"""The package before the real rpm: this machine's, and old ones that the cache holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hamkit import rpmhistory
from hamkit.errors import Failure, MissingNeed
from hamkit.files import cache_root, scratch_folder, write_whole
from hamkit.prove.rpm.findings import Finding, shown
from hamkit.run import Argv, Completed, run
from hamkit.specs import Spec
from hamkit.stage import Verdict

TIMEOUT = 60.0
FIX = "build the package with the macros that this rpm needs"
VERIFY, QUERY, LIST, INSTALL = "real.verify", "real.query", "real.list", "real.install"
TITLES = {
    VERIFY: "rpm finds digests right",
    QUERY: "rpm reads the header",
    LIST: "rpm reads the file list",
    INSTALL: "rpm unpacks the source package",
}
"""Rules that the real rpm enforces: id to title."""
SIGNATURE_OPTION = (4, 1)  # the first rpm with --nosignature; before it -K alone looks at signatures
NAME = "%{NAME}-%{VERSION}-%{RELEASE}\\n"
MACROS = """\
%_topdir {folder}
%_sourcedir {folder}/sources
%_specdir {folder}/sources
%_tmppath {folder}
%_dbpath {folder}/db
"""

Runner = Callable[[Argv], Completed]


@dataclass(frozen=True)
class Program:
    """A real rpm below ``toolchains/`` in the cache."""

    name: str
    path: Path


def real_programs(spec: Spec) -> tuple[Program, ...]:
    """Those of the distribution's ``rpm.programs`` that the cache holds."""
    folder = cache_root() / "toolchains"
    found = (Program(name, folder / name / "bin" / "rpm") for name in spec.rpm.programs)
    return tuple(program for program in found if program.path.is_file())


def program_checks(path: Path, program: Program, *, source: bool) -> tuple[Finding, ...]:
    """``rpm -K``, ``-qp``, ``-qpl`` and, of a source package, ``-i`` by a program of the cache.

    It gets a home, a database and a place for sources of its own, and runs nothing out of the package.
    Where it cannot be started, the one finding is "not run" and says why.
    """
    with scratch_folder("rpm") as folder:
        for name in ("sources", "db"):
            (folder / name).mkdir()
        write_whole(folder / ".rpmmacros", MACROS.format(folder=folder))

        def runner(argv: Argv) -> Completed:
            words = [program.path, *argv[1:]]
            done = run(words, env={"HOME": str(folder)}, cwd=folder, timeout=TIMEOUT, check=False)
            return replace(done, stderr=done.stderr.replace(f"{folder}/", ""))  # what is wrong, not where

        try:
            told = runner(["rpm", "--version"])
        except (MissingNeed, Failure) as bad:
            return (_not_run(program, str(bad)),)
        version = re.search(r"\d+(\.\d+)+", told.stdout)
        if told.returncode or version is None:
            return (_not_run(program, f"status {told.returncode}: {_last_line(told)}"),)
        queries = _queries(rpmhistory.version_tuple(version.group()), source)
        return tuple(
            _real_check(path.absolute(), runner, rule, options, f"{program.name}: ")
            for rule, options in queries
        )


def _queries(version: tuple[int, ...], source: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Rules with the options of that rpm which ask for digests, not for signatures."""
    new = version >= SIGNATURE_OPTION
    unsigned = ("--nosignature",) if new else ()
    queries = (
        (VERIFY, ("-K", *(unsigned or ("--nogpg", "--nopgp")))),
        (QUERY, ("-qp", *unsigned, "--qf", NAME)),
        (LIST, ("-qpl", *unsigned)),
    )
    return (*queries, (INSTALL, ("-i", *unsigned))) if source else queries


def _here(argv: Argv) -> Completed:
    return run(argv, package="rpm", timeout=TIMEOUT, check=False)


def real_checks(path: Path, runner: Runner = _here) -> tuple[Finding, ...]:
    """``rpm -K``, ``-qp`` and ``-qpl`` on a package, digests only.

    ``runner`` starts a command and returns it finished whatever its status: the host's by
    default, a container's when the path is one inside it. Where rpm is missing, or does
    not end, the findings are "not run" and say why.
    """
    return tuple(_real_check(path, runner, *query) for query in _queries(SIGNATURE_OPTION, source=False))


def _real_check(path: Path, runner: Runner, rule: str, options: tuple[str, ...], who: str = "") -> Finding:
    title, wanted = f"{who}{TITLES[rule]}", f"rpm {options[0]} ends with status 0"
    try:
        done = runner(["rpm", *options, "--", path])
    except (MissingNeed, Failure) as bad:
        return Finding(rule, title, Verdict.NOT_RUN, shown(str(bad)), wanted, FIX)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    said = (errors[-1] if errors else _last_line(done)).removeprefix(f"{path}: ")
    seen = f"status {done.returncode}: {said}"
    verdict = Verdict.PASS if done.returncode == 0 and not errors else Verdict.FAIL
    return Finding(rule, title, verdict, shown(seen), wanted, FIX)


def _not_run(program: Program, why: str) -> Finding:
    title, wanted = f"{program.name}: {TITLES[VERIFY]}", "a program that tells its version"
    hint = f"mend or remove {program.name} below toolchains/ in the cache"
    return Finding(VERIFY, title, Verdict.NOT_RUN, shown(why), wanted, hint)


def _last_line(done: Completed) -> str:
    """What a program said last; of ``-i``, which is silent when all is well, that it said nothing."""
    return ((done.stdout or done.stderr).strip().splitlines() or ["no output"])[-1]
