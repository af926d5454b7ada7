"""Constructs of the spec file inside a source package that the target's rpm cannot parse.

``hamkit.rpmhistory`` says which rpm parses what. Text inside any ``%if`` is left out: rpm skips
a false branch unread, and which branch is false only the target knows. What an old rpm does
read there is the condition of another ``%if``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hamkit import rpmhistory
from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of


def _by_depth(text: str) -> Iterator[tuple[bool, str]]:
    """Lines of a spec but comments, each with whether it stands in a conditional, as far as %changelog."""
    depth = 0
    for line in text.splitlines():
        word = line.strip()
        inside = depth > 0 and not word.startswith("%elif")
        if re.match(r"%if(n?arch|n?os)?\b", word):
            depth += 1
        elif word.startswith("%endif"):
            depth = max(0, depth - 1)
            continue
        if not word.startswith("#"):
            yield inside, line
        if word.startswith("%changelog") and depth == 0:
            return


def unknown_constructs(text: str, version: tuple[int, ...]) -> list[str]:
    """What an rpm of ``version`` would stumble over, in the order of the table."""
    lines = list(_by_depth(text))
    plain, nested = ("\n".join(line for inside, line in lines if inside is side) for side in (False, True))
    texts = [*((each, plain) for each in rpmhistory.CONSTRUCTS), (rpmhistory.NESTED_IF, nested)]
    return [each.name for each, part in texts if not each.known(version) and each.pattern.search(part)]


def _dialect(subject: Subject) -> Outcome | None:
    if not subject.package.is_source:
        return None
    wrong = unknown_constructs(subject.payload.spec_text, subject.target.version)
    return none_of(wrong, f"constructs that {subject.target.name} parses", "none unknown")


RULES = (
    Rule(
        "source.spec-dialect",
        "the target's rpm parses the spec inside",
        "the RPM spec's template (spec field rpm.spec_dialect); put it inside one %if",
        _dialect,
        needs_payload=True,
    ),
)
