"""reproduce.sh: repeats a recorded run and holds the new source RPM against the recorded one."""

from __future__ import annotations

from hamkit.publish.record import RunResult
from hamkit.publish.sbom import ENVIRONMENT_NAME
from hamkit.publish.templates import shell_environment

SCRIPT_NAME = "reproduce.sh"
SCENARIO_NAME = "scenario.toml"  # shipped beside the script, so that the run needs no other file


def render_script(result: RunResult) -> str:
    """The script, for POSIX sh; every value of ``result`` is quoted."""
    srpms = [file for file in result.artifacts if file.name.endswith(".src.rpm")]
    words = repeating(result.argv)
    shipped = SCENARIO_NAME in (file.name for file in result.artifacts)
    scenario = f"$here/{SCENARIO_NAME}" if shipped else None
    lock = f"$here/{ENVIRONMENT_NAME}" if any("lock" in stage.inputs for stage in result.stages) else None
    template = shell_environment().get_template("reproduce.sh.j2")
    return template.render(result=result, srpms=srpms, words=words, scenario=scenario, lock=lock)


def repeating(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words that repeat a run: nothing from the cache."""
    return (*argv, "--renew")
