"""Checks of our own text: style, types, shell, spelling, and names that must not leave this machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import MissingNeed
from hamkit.files import project_root
from hamkit.progress import Progress
from hamkit.run import find, run
from hamkit.stage import Stopwatch, Verdict

# A registry is told by the first label of its host name, so that none has to be named here.
REGISTRY = re.compile(
    r"\b(?:deb|ftp|archive|security|mirrors?|registry(?:-\d+)?|index|pypi|files|snapshot|ppa)"
    r"(?:\.[a-z0-9-]+)*\.(?:org|com|net|io|dev)\b"
)
HOME = re.compile(r"(?<![\w$}.])/(?:home|Users)/[A-Za-z][\w.-]*/")
SHELL = re.compile(rb"#! *\S*[/ ](?:ba|da|a)?sh\b")
CAPTURED = "tests/data"  # other programs' words
COLUMNS = ("check", "verdict", "seconds", "found")
UNLISTED = re.compile(r"(?:^|/)(?:\.git|\.venv|dist|[^/]*cache(?:__)?|\.hypothesis|[^/]+\.egg-info)/")


@dataclass(frozen=True)
class LintCheck:
    """One tool's verdict; ``output`` is what it found, or what is missing to run it."""

    name: str
    verdict: Verdict
    seconds: float
    output: str = ""


@dataclass(frozen=True)
class LintResult:
    """All checks. It passes only when every one of them ran and passed."""

    checks: tuple[LintCheck, ...]

    @property
    def verdict(self) -> Verdict:
        verdicts = {check.verdict for check in self.checks}
        for verdict in (Verdict.FAIL, Verdict.NOT_RUN):
            if verdict in verdicts:
                return verdict
        return Verdict.PASS

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASS


def rows(result: LintResult) -> list[tuple[str, Verdict, str, str]]:
    """The checks as a table of COLUMNS."""
    return [(check.name, check.verdict, f"{check.seconds:.1f}", check.output) for check in result.checks]


def lint(progress: Progress) -> LintResult:
    """Run every check over the files of the checkout, whatever the others say."""
    root = project_root()
    files = listed_files(root)
    python = [path for path in files if path.suffix == ".py"]
    shell = [path for path in files if is_shell(path)]
    prose = [path for path in files if not path.is_relative_to(root / CAPTURED)]
    plan: dict[str, Callable[[], str]] = {
        "ruff check": lambda: _tool("ruff", ["check", "--quiet"], python),
        "ruff format": lambda: _tool("ruff", ["format", "--check", "--quiet"], python),
        "mypy": lambda: _tool("mypy", ["--explicit-package-bases", "--no-error-summary"], python),
        "shellcheck": lambda: _tool("shellcheck", ["--external-sources"], shell),
        "codespell": lambda: _tool("codespell", [], prose),
        "names": lambda: "\n".join(leaks(files, root)),
    }
    return LintResult(tuple(_check(name, work, progress) for name, work in plan.items()))


def listed_files(root: Path) -> list[Path]:
    """Files that are tracked or would be; without git, all but what is made by running."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = run(command, check=False)
    except MissingNeed:
        listed = None
    if listed is not None and listed.returncode == 0:
        found: Iterable[Path] = (root / name for name in listed.stdout.split("\0") if name)
    else:
        found = (p for p in root.rglob("*") if not UNLISTED.search(str(p.relative_to(root))))
    return sorted(path for path in found if path.is_file())


def is_shell(path: Path) -> bool:
    """Does the file begin as a shell script? Templates are checked as rendered, by their own tests."""
    if path.suffix == ".j2":
        return False
    with path.open("rb") as stream:
        return SHELL.match(stream.readline(80)) is not None


def leaks(files: Iterable[Path], root: Path) -> list[str]:
    """Lines that name a package registry or a path of this machine: ``file:line: what``."""
    here = str(root) if len(root.parts) > 2 else None
    found: list[str] = []
    for path in files:
        text = path.read_bytes().decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            names = [match[0] for match in (REGISTRY.search(line), HOME.search(line)) if match]
            if here and re.search(rf"{re.escape(here)}(?![\w-])", line):
                names.append(here)
            found += [f"{path.relative_to(root)}:{number}: names {name}" for name in names]
    return found


def _check(name: str, work: Callable[[], str], progress: Progress) -> LintCheck:
    watch = Stopwatch()
    with progress.step(f"lint: {name}"):
        try:
            output = work()
        except MissingNeed as missing:
            return LintCheck(name, Verdict.NOT_RUN, watch.seconds, str(missing))
    return LintCheck(name, Verdict.FAIL if output else Verdict.PASS, watch.seconds, output)


def _tool(program: str, flags: list[str], files: list[Path]) -> str:
    """What a tool finds wrong with the files; empty when it is content."""
    if not files:
        return ""
    beside = Path(sys.prefix, "bin", program)
    path = beside if beside.exists() else find(program)
    done = run([path, *flags, *files], cwd=project_root(), check=False)
    if done.returncode == 0:
        return ""
    return (done.stdout + done.stderr).strip() or f"{program} ended with status {done.returncode}"
