"""What the rules look at: the package, the target's rpm, and the payload once it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hamkit.prove.rpm.findings import CheckRequest, Finding, shown
from hamkit.prove.rpm.published import Published
from hamkit.prove.rpm.scan import Scan
from hamkit.rpmfiles import BadPackage, Package
from hamkit.rpmfiles.tags import Tag
from hamkit.stage import Verdict

ARCHITECTURES = {
    "2.4": frozenset({"i386", "i486", "i586", "i686", "athlon", "noarch"}),
    "mainline": frozenset({"x86_64", "noarch"}),
}


@dataclass(frozen=True)
class Target:
    """The rpm of a distribution: its version and what it knows."""

    name: str
    version: tuple[int, ...]
    compressors: frozenset[str]
    digests: frozenset[str]
    rpmlib: frozenset[str]
    architectures: frozenset[str]

    @classmethod
    def of(cls, request: CheckRequest) -> Target:
        rpm = request.spec.rpm
        return cls(
            f"rpm {rpm.version} of {request.spec.name}",
            rpm.version_tuple,
            frozenset(rpm.payload_compressors) | {"none"},
            frozenset(rpm.file_digests),
            frozenset(rpm.rpmlib),
            ARCHITECTURES[request.spec.distribution.line],
        )

    def has(self, *version: int) -> bool:
        """Whether the target's rpm is at least this version."""
        return self.version >= version


@dataclass(frozen=True)
class Subject:
    """One package before its judge. ``digests`` maps algorithm to the compressed payload's digest.

    ``scan`` is None when the payload was not read; ``unread`` then says why. ``published`` are the
    repositories that it is held against.
    """

    request: CheckRequest
    package: Package
    target: Target
    md5: str = ""
    digests: dict[str, str] | None = None
    scan: Scan | None = None
    unread: str = ""
    published: tuple[Published, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether the package is HAM's: other people's need not be built in our way, nor stay in our folders,
        for a distribution to take them."""
        return "ham" in (self.package.header.string(Tag.NAME) or "").split("-")

    @property
    def payload(self) -> Scan:
        """The payload that was read; for rules with ``needs_payload`` only."""
        if self.scan is None:
            raise RuntimeError("a rule looks at the payload without saying so")
        return self.scan


@dataclass(frozen=True)
class Outcome:
    """``ok`` is None when the rule could not be run; ``fix`` is a better one than the rule's."""

    ok: bool | None
    seen: str
    wanted: str
    fix: str = ""


Judge = Callable[[Subject], Outcome | None]


@dataclass(frozen=True)
class Rule:
    """A check with a stable id. ``judge`` returns None when the rule does not apply.

    A rule with ``needs_payload`` is not run when the payload could not be read.
    """

    id: str
    title: str
    fix: str
    judge: Judge
    needs_payload: bool = False

    def apply(self, subject: Subject) -> Finding | None:
        if self.needs_payload and subject.scan is None:
            return self.finding(Outcome(None, subject.unread, "a payload that can be read"))
        try:
            outcome = self.judge(subject)
        except BadPackage as bad:
            outcome = Outcome(False, bad.message, "a sound package")
        return None if outcome is None else self.finding(outcome)

    def finding(self, outcome: Outcome) -> Finding:
        verdict = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.NOT_RUN}[outcome.ok]
        fix = shown(outcome.fix, 240) if outcome.fix else self.fix
        return Finding(self.id, self.title, verdict, shown(outcome.seen), shown(outcome.wanted), fix)


def apply_all(rules: Iterable[Rule], subject: Subject) -> list[Finding]:
    """The findings of those rules that apply."""
    return [finding for rule in rules if (finding := rule.apply(subject)) is not None]


def equal(seen: object, wanted: object) -> Outcome:
    """Both must be the same."""
    return Outcome(seen == wanted, str(seen), str(wanted))


def none_of(wrong: Iterable[str], wanted: str, good: str = "none") -> Outcome:
    """There must be no wrong thing; at most three are shown."""
    found = list(wrong)
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return Outcome(not found, ", ".join(found[:3]) + more if found else good, wanted)
