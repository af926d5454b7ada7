"""How each question is answered for a distribution of the mainline: its kernel comes as a package."""

from __future__ import annotations

from pathlib import Path

from hamkit import scenarios, specs
from hamkit.courses.distribution import Pipeline, Request
from hamkit.courses.reproduce import reproduce_distribution
from hamkit.matrix.answers import Texts, digest_of, guarded, of_stage, reproduced_cell
from hamkit.matrix.booting import boot_cells
from hamkit.matrix.graph import Answer, Task
from hamkit.matrix.record import Cell
from hamkit.progress import Quiet
from hamkit.stage import Verdict

NOTHING_TO_COMPARE = "this kernel is not patched: there is no other one to hold it against"
DRIVES_ITS_OWN = (
    "HAM drives this kernel's own memory hot-plug: nothing to patch, the kernel comes as a package"
)


def _pipeline(task: Task) -> Pipeline:
    chosen = task.options.get("scenario", "")
    scenario = scenarios.load(Path(chosen) if chosen else None)
    return Pipeline(Request(specs.load(task.row.given), scenario, keep=True), Quiet())


def _image(task: Task, texts: Texts) -> Answer:
    pipeline = _pipeline(task)
    made, spec = pipeline.image, pipeline.request.spec
    release = made.release(None)
    cell = of_stage("identify", made.stage, texts).model_copy(update={"detail": f"Linux {release}"})
    return Answer((cell,), made.digest, title=f"Linux {release}", origin=spec.distribution.family)


def _unpatched(task: Task, texts: Texts) -> Answer:
    columns = ("facts", "patch", "applies", "configures", "builds")
    cells = (Cell(column=c, verdict=Verdict.UNSUPPORTED, detail=DRIVES_ITS_OWN) for c in columns)
    return Answer(tuple(cells))


def _uncounted(task: Task, texts: Texts) -> Answer:
    return Answer((Cell(column="overhead", verdict=Verdict.UNSUPPORTED, detail=NOTHING_TO_COMPARE),))


def _srpm(task: Task, texts: Texts) -> Answer:
    made = _pipeline(task).srpm
    digest = digest_of({artifact.path.name: artifact.sha256 for artifact in made.stage.outputs})
    return Answer((of_stage("srpm", made.stage, texts),), digest)


def _rpm(task: Task, texts: Texts) -> Answer:
    return Answer((of_stage("rpm", _pipeline(task).checked.stage, texts),))


def _modules(task: Task, texts: Texts) -> Answer:
    made = _pipeline(task).rpms
    digest = digest_of({artifact.path.name: artifact.sha256 for artifact in made.stage.outputs})
    return Answer((of_stage("modules", made.stage, texts),), digest)


def _boot(task: Task, texts: Texts) -> Answer:
    return boot_cells(_pipeline(task), texts)


def _reproducible(task: Task, texts: Texts) -> Answer:
    made = reproduce_distribution(_pipeline(task).request, Quiet())
    return Answer((reproduced_cell(made, texts),), texts=texts.by_digest)


QUESTIONS = {
    "image": ("identify", _image),
    "unpatched": ("facts", _unpatched),
    "uncounted": ("overhead", _uncounted),
    "srpm": ("srpm", _srpm),
    "rpm": ("rpm", _rpm),
    "modules": ("modules", _modules),
    "boot": ("boots", _boot),
    "reproducible": ("reproducible", _reproducible),
}


def ask(task: Task) -> Answer:
    """A node's answer, with an expected error as a cell of its first column."""
    column, question = QUESTIONS[task.node]
    texts = Texts()
    return guarded(column, texts, lambda: question(task, texts), tuple)
