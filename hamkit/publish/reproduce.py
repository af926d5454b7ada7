"""reproduce.sh: repeats a recorded run and holds the new source RPM against the recorded one."""

from __future__ import annotations

from hamkit.publish.record import RunResult
from hamkit.publish.templates import shell_environment

SCRIPT_NAME = "reproduce.sh"


def render_script(result: RunResult) -> str:
    """The script, for POSIX sh; every value of ``result`` is quoted."""
    srpms = [file for file in result.artifacts if file.name.endswith(".src.rpm")]
    words = repeating(result.argv)
    return shell_environment().get_template("reproduce.sh.j2").render(result=result, srpms=srpms, words=words)


def repeating(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words that repeat a run: nothing from the cache, and the outcome where the script looks."""
    words: list[str] = []
    rest = iter(argv)
    for word in rest:
        if word in ("--out", "-o"):
            next(rest, None)
        elif not word.startswith("--out=") and word != "--renew":
            words.append(word)
    return (*words, "--renew")
