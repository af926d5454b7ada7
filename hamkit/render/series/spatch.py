"""Runs semantic patches: one file at a time, with a count of how often each rule matched."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hamkit import run
from hamkit.errors import Failure
from hamkit.files import cache_root, sha256_text, write_whole
from hamkit.kernel.csource import ENCODING

PACKAGE = "coccinelle"
SECONDS = 120.0
RULE = re.compile(r"^@(\w+)@$", re.MULTILINE)
UNCHANGED = "there are no modified files"  # spatch calls that a failure
FIRED = re.compile(r"^hamkit fired (\w+)$", re.MULTILINE)
# Every rule has a position p; a script after them says each place where one matched.
REPORT = """
@script:python@
p << {rule}.p;
@@
for place in p:
    print("hamkit fired {rule}")
"""


@dataclass(frozen=True)
class Applied:
    """A source after a semantic patch; ``fired`` counts the matches of each rule."""

    text: str
    fired: Counter[str]


@cache
def version() -> str:
    """What spatch says of itself. Raises MissingNeed when it is not installed."""
    return run.run(["spatch", "--version"], package=PACKAGE).stdout.splitlines()[0]


def bodies(cocci: str) -> dict[str, str]:
    """Each rule's name and text."""
    pieces = RULE.split(cocci)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def apply(cocci: str, file: str, text: str, work: Path) -> Applied:
    """Apply a semantic patch (its text) to a source (its text); ``work`` is a scratch folder.

    What it came to is kept in the cache: trees share many of their sources. Raises MissingNeed
    without spatch, Failure when spatch cannot read the patch or the source.
    """
    key = sha256_text(version(), REPORT, cocci, Path(file).name, text)
    known = cache_root() / "spatch" / key[:2] / f"{key}.json"
    try:
        data = json.loads(known.read_text(encoding="utf-8"))
        return Applied(data["text"], Counter(data["fired"]))
    except (OSError, ValueError, KeyError, TypeError):
        applied = _spatch(cocci, file, text, work)
    write_whole(known, json.dumps({"text": applied.text, "fired": applied.fired}))
    return applied


def _spatch(cocci: str, file: str, text: str, work: Path) -> Applied:
    source, rules, out = work / Path(file).name, work / "rules.cocci", work / "out"
    source.write_text(text, encoding=ENCODING)
    out.unlink(missing_ok=True)
    rules.write_text(cocci + "".join(REPORT.format(rule=r) for r in bodies(cocci)), encoding="utf-8")
    argv: list[str | Path] = [
        "spatch",
        "--very-quiet",
        "--no-includes",
        "--sp-file",
        rules,
        source,
        "-o",
        out,
    ]
    done = run.run(argv, package=PACKAGE, timeout=SECONDS, check=False)
    if done.returncode != 0 and UNCHANGED not in done.stderr:
        raise Failure(f"spatch on {file}: {done.stderr.strip()[-300:]}", f"to repeat: {run.paste(argv)}")
    changed = out.read_bytes().decode(ENCODING) if out.is_file() else text  # a carriage return is content
    return Applied(tidy(text, changed), Counter(FIRED.findall(done.stdout)))


def tidy(before: str, after: str) -> str:
    """Without the blank line that spatch puts behind ``#endif`` where one follows anyway."""
    if "#endif\n\n\n" in before:
        return after
    return after.replace("#endif\n\n\n", "#endif\n\n")
