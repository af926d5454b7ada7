"""What the machine has, and the house itself: doctor, test, lint, clean."""

import sys

from invoke import Context, task

from hamkit import clean as cleaning
from hamkit import doctor as doctoring
from hamkit import lint as linting
from hamkit import show, testing
from hamkit.build.engine import Engine
from hamkit.progress import Reporter
from hamkit.tasks.common import help_for, leave, told


@task(help=help_for("json"))
def doctor(_: Context, json: bool = False) -> None:
    """What is installed, what each missing thing disables, how to install it (exit 3 if any)."""
    with told(json):
        needs = doctoring.diagnose()
        show.either(json, needs, "needs", doctoring.COLUMNS, doctoring.rows(needs))
        print(doctoring.summary(needs), file=sys.stderr)
        if any(not need.found and need.disables for need in needs):
            raise leave(3)


@task(help={"gate": "only this one of ci/gates: lint, unit, real", "select": "pytest's -k expression"})
def test(_: Context, gate: str = "", select: str = "") -> None:
    """Every gate that CI runs, in order; the status is the number of the one that failed."""
    with told(False):
        status = testing.run_gates(gate, ("-k", select) if select else (), Reporter())
        if status:
            raise leave(status)


@task(help=help_for("json"))
def lint(_: Context, json: bool = False) -> None:
    """ruff, mypy, shellcheck, codespell and the house rules."""
    with told(json):
        result = linting.lint(Reporter())
        show.either(json, result, "lint", linting.COLUMNS, linting.rows(result))
        if not result.passed:
            raise leave(1)


@task(help={"images": "Docker images too"} | help_for("json", "dry_run"))
def clean(_: Context, images: bool = False, json: bool = False, dry_run: bool = False) -> None:
    """Remove what hamkit made in its cache and build/; dist/ and your kernels stay."""
    with told(json):
        engine = Engine.connect() if images else None
        done = cleaning.plan(engine) if dry_run else cleaning.clean(engine)
        word = "would be removed" if dry_run else "removed"
        show.either(json, done, word, ("what",), [(w,) for w in (*done.folders, *done.images)])
