"""Every kernel and distribution at hand against every stage: matrix, compare."""

import sys
from pathlib import Path

from invoke import Context, task
from rich.console import Console

from hamkit import show
from hamkit.errors import UserError
from hamkit.files import cache_root, project_root, write_whole
from hamkit.matrix import ci as public_ci
from hamkit.matrix import columns, execute, outputs, rows, view
from hamkit.matrix import compare as comparing
from hamkit.matrix.page import render_matrix_page
from hamkit.matrix.record import Matrix, load
from hamkit.matrix.run import MatrixRequest, run_matrix
from hamkit.stage import Verdict
from hamkit.tasks.common import given, help_for, leave, told

LAST = "last-matrix.json"
FLAGS = {
    "kernels": "names or patterns of sources in the cache, or paths, comma-separated; all when not given",
    "distros": "mainline distributions likewise; 'none' for none",
    "until": "the last column to ask for, for example applies",
    "jobs": "answers that are worked on at a time; one a processor when not given",
    "highmem": "4G or 64G; the tree's first when not given",
    "flavour": "up or smp",
    "toolchain": "compiler for 2.4: a name in the cache's toolchains/, or a path",
    "fail_fast": "stop at the first failure",
    "overhead": "measure what hot-add costs each 2.4 kernel too: minutes a kernel",
    "keep_going": "ask everything, whatever fails (the default)",
    "scheduler": "address of a dask scheduler whose workers do the work",
    "ci": "print a job for each row instead: github or gitlab",
    "explain": "tell everything about one cell of the last run (or of --json FILE), ROW:COLUMN",
    "json": "file for the matrix as JSON; - for standard output",
    "junit": "file for a JUnit report",
    "sarif": "file for the failures as SARIF",
    "page": "file for the page; build/matrix/index.html when not given",
}


@task(help=FLAGS | help_for("scenario", "renew", "dry_run"))
def matrix(
    _: Context,
    kernels: str = "",
    distros: str = "",
    until: str = "",
    jobs: int = 0,
    highmem: str = "",
    flavour: str = "",
    toolchain: str = "",
    scenario: str = "",
    fail_fast: bool = False,
    keep_going: bool = False,
    overhead: bool = False,
    scheduler: str = "",
    ci: str = "",
    explain: str = "",
    json: str = "",
    junit: str = "",
    sarif: str = "",
    page: str = "",
    renew: bool = False,
    dry_run: bool = False,
) -> None:
    """Compatibility of everything with everything: kernels and distributions by stages, cached."""
    with told(json == "-"):
        if fail_fast and keep_going:
            raise UserError("--fail-fast and --keep-going exclude each other", "give one of them")
        if explain:
            return _explain(explain, json)
        chosen = rows.discover(kernels, distros)
        if ci:
            sys.stdout.write(public_ci.jobs_for(ci, chosen))
            return None
        _check_options(highmem, flavour, toolchain, scenario)
        wanted = {"highmem": highmem, "flavour": flavour, "toolchain": toolchain, "scenario": scenario}
        request = MatrixRequest(
            rows=chosen,
            columns=(*columns.until(until), *([columns.OVERHEAD] if overhead else [])),
            options={name: value for name, value in wanted.items() if value},
            jobs=jobs or execute.processors(),
            scheduler=scheduler,
            fail_fast=fail_fast,
            renew=renew,
            argv=tuple(sys.argv[1:]),
        )
        if dry_run:
            table = [(row.name, row.line, row.given) for row in chosen]
            return show.either(json == "-", chosen, "rows", ("row", "line", "source"), table)
        files = {"json": json, "junit": junit, "sarif": sarif, "page": page}
        before = _last()
        with view.watching(request.columns, request.jobs) as watch:
            made = run_matrix(request, watch, lambda matrix: _write(matrix, before, files))
        return _tell(made, json == "-")


@task(help={"before": "JSON of the earlier run", "now": "JSON of the later run"} | help_for("json"))
def compare(_: Context, before: str = "", now: str = "", json: bool = False) -> None:
    """What got better or worse between two matrix runs (exit 1 when something got worse)."""
    with told(json):
        example = "matrix.json"
        old, new = load(Path(given("before", before, example))), load(Path(given("now", now, example)))
        found = comparing.differences(old, new)
        show.either(json, found, f"{before} to {now}", comparing.COLUMNS, [d.cells for d in found])
        if not found:
            print("every cell is what it was", file=sys.stderr)
        if comparing.worse(found):
            raise leave(1)


def _check_options(highmem: str, flavour: str, toolchain: str, scenario: str) -> None:
    """Raises UserError at once for what every row would fail by, some of them minutes later."""
    if not any((highmem, flavour, toolchain, scenario)):
        return  # what is imported here is not waited for, unless asked for
    from hamkit import scenarios  # noqa: PLC0415
    from hamkit.build.kernel24.flavours import FLAVOURS, HIGHMEM  # noqa: PLC0415
    from hamkit.build.kernel24.toolchain import find_toolchain  # noqa: PLC0415

    if highmem and highmem not in HIGHMEM:
        raise UserError(f"--highmem {highmem} cannot be", f"choose {' or '.join(HIGHMEM)}")
    if flavour and flavour not in FLAVOURS:
        raise UserError(f"no flavour is called {flavour!r}", f"choose one of {', '.join(FLAVOURS)}")
    if toolchain:
        find_toolchain(toolchain)
    if scenario:
        scenarios.load(Path(scenario))


def _last() -> Matrix | None:
    path = cache_root() / LAST
    try:
        return load(path) if path.is_file() else None
    except UserError:
        return None  # of an older hamkit


def _write(matrix: Matrix, before: Matrix | None, files: dict[str, str]) -> None:
    """Every output, whole; the trend on the page is against the run before."""
    page = Path(files["page"]) if files["page"] else project_root() / "build" / "matrix" / "index.html"
    write_whole(cache_root() / LAST, matrix.text())
    if files["json"] not in ("", "-"):
        write_whole(Path(files["json"]), matrix.text())
    if files["junit"]:
        write_whole(Path(files["junit"]), outputs.as_junit(matrix))
    if files["sarif"]:
        write_whole(Path(files["sarif"]), outputs.as_sarif(matrix))
    write_whole(page, render_matrix_page(matrix, before))
    print(f"page: {page}", file=sys.stderr)


def _tell(made: Matrix, json: bool) -> None:
    if json:
        sys.stdout.write(made.text())
    else:
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(view.whole(made))
        for row in made.rows:
            for cell in row.cells:
                if cell.verdict is Verdict.FAIL:
                    print(f"{row.name} {cell.column}: {cell.detail}", file=sys.stderr)
    code = show.exit_code(made.verdict)
    if code:
        raise leave(code)


def _explain(words: str, json: str) -> None:
    row, _, column = words.rpartition(":")
    last = load(Path(json)) if json not in ("", "-") else _last()
    if last is None:
        raise UserError(
            "there is no last matrix to explain", "run invoke matrix first, or give one with --json"
        )
    names = [c.name for c in last.columns]
    if not row or column not in names:
        raise UserError(f"{words!r} names no cell", f"write ROW:COLUMN; columns: {', '.join(names)}")
    if json == "-":
        show.as_json(view.cell_alone(last, row, column))
    else:
        print("\n".join(view.explained(last, row, column)))
