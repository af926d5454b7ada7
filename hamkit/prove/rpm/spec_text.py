"""Constructs of the spec file inside a source package that the target's rpm cannot parse.

Source: what real rpm 4.0.2, 4.0.3 and 4.18 made of each construct, and rpm's own history
for later removals. Text inside any ``%if`` is left out: rpm skips a false branch unread,
and which branch is false only the target knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of


@dataclass(frozen=True)
class Construct:
    """Parsed by rpm from ``since`` on and before ``until`` (None: to this day)."""

    pattern: re.Pattern[str]
    what: str
    since: tuple[int, ...] = (0,)
    until: tuple[int, ...] | None = None


def _line(expression: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{expression}", re.MULTILINE)


CONSTRUCTS = (
    Construct(_line(r"(?i:copyright|serial):"), "Copyright: or Serial:", until=(4, 6)),
    Construct(_line(r"%patch\d"), "%patchN (write %patch -P N)", until=(4, 20)),
    Construct(_line(r"%patch\s.*-P\d"), "%patch -PN without a blank", since=(4, 6)),
    Construct(_line(r"(?i:recommends|suggests|supplements|enhances):"), "weak dependencies", since=(4, 12)),
    Construct(_line(r"(?i:(build)?requires|conflicts):.*\("
                    r"[^()]*\s(or|and|if|unless|with|without)\s"), "rich dependencies", since=(4, 13)),
    Construct(_line(r"(?i:bugurl|vcs):"), "BugURL: or VCS:", since=(4, 8)),
    Construct(_line(r"%bcond_with(out)?\b"), "%bcond_with", since=(4, 4)),
    Construct(_line(r"%bcond\s"), "%bcond", since=(4, 17)),
    Construct(_line(r"%dnl\b"), "%dnl", since=(4, 15)),
    Construct(_line(r"%(autosetup|autopatch)\b"), "%autosetup or %autopatch", since=(4, 11)),
    Construct(_line(r"%(sourcelist|patchlist)\b"), "%sourcelist or %patchlist", since=(4, 15)),
    Construct(_line(r"%check\b"), "%check", since=(4, 2)),
    Construct(_line(r"%(pretrans|posttrans)\b"), "%pretrans or %posttrans", since=(4, 4)),
    Construct(_line(r"%license\b"), "%license", since=(4, 11)),
    Construct(_line(r"%caps\("), "%caps", since=(4, 7)),
    Construct(_line(r"%exclude\b"), "%exclude", since=(4, 0, 3)),
    Construct(_line(r"%elif\b"), "%elif", since=(4, 15)),
    Construct(re.compile(r"%\{lua:"), "%{lua:}", since=(4, 4)),
    Construct(re.compile(r"%\{!\?\w+:\s*%define\b"), "%define inside a conditional macro", since=(4, 4)),
    Construct(_line(r"%(define|global)\s+\w+\("), "parametric macros", since=(4, 0, 3)),
    Construct(_line(r"%(define|global)\s+\w{1,2}\s"), "macro names of less than 3 characters", since=(4, 4)),
)  # fmt: skip
"""``since`` is where a construct is known to work; between the versions run it is read off rpm's history."""


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
        each.what
        for each in CONSTRUCTS
        if each.pattern.search(plain)
        and (version < each.since or (each.until is not None and version >= each.until))
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
