"""reproduce.sh: repeats a recorded run and holds the new source RPM against the recorded one."""

from __future__ import annotations

from hamkit.publish.record import RunResult
from hamkit.publish.templates import shell_environment

SCRIPT_NAME = "reproduce.sh"


def render_script(result: RunResult) -> str:
    """The script, for POSIX sh; every value of ``result`` is quoted."""
    srpms = [file for file in result.artifacts if file.name.endswith(".src.rpm")]
    return shell_environment().get_template("reproduce.sh.j2").render(result=result, srpms=srpms)
