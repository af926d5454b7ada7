"""The package before the real rpm, where one is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hamkit.errors import Failure, MissingNeed
from hamkit.prove.rpm.findings import Finding, shown
from hamkit.run import Argv, Completed, run
from hamkit.stage import Verdict

TIMEOUT = 60.0
FIX = "build the package with the macros that this rpm needs"
QUERIES = (
    ("real.verify", "rpm finds digests right", ("-K", "--nosignature")),
    (
        "real.query",
        "rpm reads the header",
        ("-qp", "--nosignature", "--qf", "%{NAME}-%{VERSION}-%{RELEASE}\\n"),
    ),
    ("real.list", "rpm reads the file list", ("-qpl", "--nosignature")),
)

Runner = Callable[[Argv], Completed]


def _here(argv: Argv) -> Completed:
    return run(argv, package="rpm", timeout=TIMEOUT, check=False)


def real_checks(path: Path, runner: Runner = _here) -> tuple[Finding, ...]:
    """``rpm -K``, ``-qp`` and ``-qpl`` on a package, digests only.

    ``runner`` starts a command and returns it finished whatever its status: the host's by
    default, a container's when the path is one inside it. Where rpm is missing, or does
    not end, the findings are "not run" and say why.
    """
    return tuple(_real_check(path, runner, *query) for query in QUERIES)


def _real_check(path: Path, runner: Runner, rule: str, title: str, options: tuple[str, ...]) -> Finding:
    wanted = f"rpm {options[0]} ends with status 0"
    try:
        done = runner(["rpm", *options, "--", path])
    except (MissingNeed, Failure) as bad:
        return Finding(rule, title, Verdict.NOT_RUN, shown(str(bad)), wanted, FIX)
    said = (done.stdout or done.stderr).strip().splitlines()
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    seen = f"status {done.returncode}: {(errors or said or ['no output'])[-1]}"
    verdict = Verdict.PASS if done.returncode == 0 and not errors else Verdict.FAIL
    return Finding(rule, title, verdict, shown(seen), wanted, FIX)
