"""The check itself: read, judge the headers, then the digests, then what is inside.

Each part runs only when the one before it holds, so that a damaged or hostile file is
refused early, by one clear line, and never unpacked.
"""

from __future__ import annotations

from dataclasses import replace

from hamkit.errors import MissingNeed
from hamkit.files import sha256_file
from hamkit.progress import Progress
from hamkit.prove.rpm import (
    rules_files,
    rules_format,
    rules_identity,
    rules_payload,
    rules_repository,
    rules_repro,
    spec_text,
)
from hamkit.prove.rpm.findings import CheckRequest, CheckResult, Finding, shown
from hamkit.prove.rpm.published import Interest, Published, read_published
from hamkit.prove.rpm.real import Program, Runner, program_checks, real_checks
from hamkit.prove.rpm.scan import compressed_digests, scan
from hamkit.prove.rpm.subject import Subject, Target, apply_all
from hamkit.rpmfiles import BadPackage, Package, read_package
from hamkit.stage import StageResult, Stopwatch, Verdict

SOUND = "a package whose form holds"
INSIDE = (
    *rules_format.DIALECT,
    *rules_payload.RULES,
    *rules_files.RULES,
    *rules_identity.RULES,
    *spec_text.RULES,
    *rules_repro.RULES,
)
ALL_RULES = (*rules_format.CHEAP, *rules_format.DIGESTS, *INSIDE, *rules_repository.RULES)
PARSING = {
    "lead.magic": "the file is an RPM package",
    "file.size": "the file is no larger than it may be",
    "signature.layout": "the signature header is whole",
    "header.layout": "the header is whole",
    "header.files": "the header's file list is whole",
    "payload.unpack": "the payload unpacks, within limits",
    "payload.archive": "the payload is a whole cpio archive",
}
"""Rules that reading itself enforces: id to title."""


def check(
    request: CheckRequest,
    progress: Progress,
    runner: Runner | None = None,
    programs: tuple[Program, ...] = (),
) -> CheckResult:
    """Judge a source or binary package against the rpm of ``request.spec``.

    With a ``runner`` the real rpm that it starts has its say too, and so do ``programs``. Raises
    UserError when the file, or a repository of the request, cannot be read at all; whatever is wrong with
    the package is a finding.
    """
    watch = Stopwatch()
    with progress.step(f"check {request.path.name} for {request.spec.name}"):
        findings, package = _findings(request)
        if runner is not None and not _failed(findings):
            findings += real_checks(request.path, runner)
        if package is not None and not _failed(findings):
            for program in programs:
                findings += program_checks(request.path, program, source=package.is_source)
    inputs = {} if package is None else {shown(request.path.name, 255): sha256_file(request.path)}
    facts = {} if package is None else _facts(package)
    stage = StageResult("check", _verdict(findings), watch.seconds, _line(findings), inputs, facts=facts)
    return CheckResult(stage, tuple(findings))


def _findings(request: CheckRequest) -> tuple[list[Finding], Package | None]:
    try:
        package = read_package(request.path)
    except BadPackage as bad:
        return [_broken(bad)], None
    subject = Subject(request, package, Target.of(request))
    findings = apply_all(rules_format.CHEAP, subject)
    if not _failed(findings):
        md5, digests = compressed_digests(package)
        subject = replace(subject, md5=md5, digests=digests)
        findings += apply_all(rules_format.DIGESTS, subject)
    if _failed(findings):
        return findings, package
    subject, broken = _with_payload(subject)
    told = {f.rule for f in broken}
    rest = (f for f in apply_all(INSIDE, subject) if f.rule not in told)
    subject = replace(subject, published=_published(request, package))
    return [*findings, *broken, *rest, *apply_all(rules_repository.RULES, subject)], package


def _published(request: CheckRequest, package: Package) -> tuple[Published, ...]:
    interest = Interest.of(package)
    return tuple(read_published(place, interest) for place in request.repositories)


def _with_payload(subject: Subject) -> tuple[Subject, list[Finding]]:
    try:
        return replace(subject, scan=scan(subject.package)), []
    except BadPackage as bad:
        return replace(subject, unread=f"the payload was not read: {bad.message}"), [_broken(bad)]
    except MissingNeed as need:
        return replace(subject, unread=f"{need.message}: {need.hint}"), []


def _broken(bad: BadPackage) -> Finding:
    titles = PARSING | {rule.id: rule.title for rule in ALL_RULES}
    return Finding(bad.rule, titles[bad.rule], Verdict.FAIL, shown(bad.message), SOUND, bad.hint)


def _failed(findings: list[Finding]) -> bool:
    return any(f.verdict is Verdict.FAIL for f in findings)


def _verdict(findings: list[Finding]) -> Verdict:
    """A failure is a failure; without one, a rule that could not run keeps the whole from passing."""
    verdicts = {f.verdict for f in findings}
    for verdict in (Verdict.FAIL, Verdict.NOT_RUN):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS


def _line(findings: list[Finding]) -> str:
    """The result in one line: the first failure, or what could not be run, or how many rules hold."""
    for verdict, word in ((Verdict.FAIL, "refused"), (Verdict.NOT_RUN, "not run")):
        chosen = [f for f in findings if f.verdict is verdict]
        if chosen:
            more = f" (and {len(chosen) - 1} more)" if len(chosen) > 1 else ""
            first = chosen[0]
            return f"{word}: {first.rule}: {first.seen}; wanted: {first.wanted}{more}"
    return f"{len(findings)} rules hold"


def _facts(package: Package) -> dict[str, object]:
    return {
        "package": shown(package.nvr),
        "kind": "source" if package.is_source else "binary",
        "format": package.format,
        "compressor": shown(package.compressor, 20),
        "bytes": package.size,
    }
