"""Constructs of the spec file inside a source package that the target's rpm cannot parse.

``hamkit.rpmhistory`` says which rpm parses what. Text inside any ``%if`` is left out: rpm skips
a false branch unread, and which branch is false only the target knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hamkit import rpmhistory
from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of


def _outside_conditionals(text: str) -> Iterator[str]:
    depth = 0
    for line in text.splitlines():
        word = line.strip()
        if re.match(r"%if(n?arch|n?os)?\b", word):
            depth += 1
        elif word.startswith("%endif"):
            depth = max(0, depth - 1)
        elif not word.startswith("#") and (depth == 0 or word.startswith("%elif")):
            yield line
        if word.startswith("%changelog") and depth == 0:
            return


def unknown_constructs(text: str, version: tuple[int, ...]) -> list[str]:
    """What an rpm of ``version`` would stumble over, in the order of the table."""
    plain = "\n".join(_outside_conditionals(text))
    return [
        each.name for each in rpmhistory.CONSTRUCTS if not each.known(version) and each.pattern.search(plain)
    ]


def _dialect(subject: Subject) -> Outcome | None:
    if not subject.package.is_source:
        return None
    wrong = unknown_constructs(subject.payload.spec_text, subject.target.version)
    return none_of(wrong, f"constructs that {subject.target.name} parses", "none unknown")


RULES = (
    Rule(
        "source.spec-dialect",
        "the target's rpm parses the spec inside",
        "the RPM spec's template (spec field rpm.spec_dialect); put it inside %if",
        _dialect,
        needs_payload=True,
    ),
)
