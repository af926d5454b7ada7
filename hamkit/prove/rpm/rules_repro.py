"""Rules on what makes a package of ours come out the same when it is built again."""

from __future__ import annotations

from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of
from hamkit.rpmfiles.tags import Tag

DAY = 86400


def _build_host(subject: Subject) -> Outcome | None:
    if not subject.ours:
        return None
    wanted = subject.request.build_host
    host = subject.package.header.string(Tag.BUILDHOST)
    return Outcome(host == wanted, host or "absent", wanted)


def _build_time(subject: Subject) -> Outcome | None:
    """SOURCE_DATE_EPOCH where it is known; else a time that a clock would not have given.

    That is the day of the newest changelog entry (rpm may take the time from there), or
    the time that the newest file was clamped to.
    """
    if not subject.ours:
        return None
    header, wanted = subject.package.header, subject.request.source_date_epoch
    built = header.integer(Tag.BUILDTIME)
    if built is None:
        return Outcome(False, "absent", "a build time")
    if wanted is not None:
        return Outcome(built == wanted, str(built), f"SOURCE_DATE_EPOCH {wanted}")
    entry, newest = header.integer(Tag.CHANGELOGTIME), max(header.integers(Tag.FILEMTIMES), default=None)
    good = built == newest or (entry is not None and built // DAY == entry // DAY)
    return Outcome(good, str(built), f"the changelog's day ({entry}) or the newest file's time ({newest})")


def _file_times(subject: Subject) -> Outcome | None:
    if not subject.ours:
        return None
    built = subject.package.header.integer(Tag.BUILDTIME) or 0
    late = [f"{f.name}: {f.mtime}" for f in subject.package.files if f.mtime > built]
    return none_of(late, f"no file later than the build time {built}", "none later")


def _cookie(subject: Subject) -> Outcome | None:
    header = subject.package.header
    cookie = header.string(Tag.COOKIE)
    if not cookie or not subject.ours:
        return None
    wanted = f"{header.string(Tag.BUILDHOST)} {header.integer(Tag.BUILDTIME)}"
    return Outcome(cookie == wanted, cookie, wanted)


EPOCH = "SOURCE_DATE_EPOCH with macro use_source_date_epoch_as_buildtime 1"

RULES = (
    Rule("repro.build-host", "the build host is the fixed one", "macro _buildhost", _build_host),
    Rule("repro.build-time", "the build time is the source's, not the clock's", EPOCH, _build_time),
    Rule(
        "repro.file-times",
        "no file is newer than the build time",
        "macro clamp_mtime_to_source_date_epoch 1 (from rpm 4.20: build_mtime_policy)",
        _file_times,
    ),
    Rule("repro.cookie", "the build cookie repeats host and time", f"macro _buildhost; {EPOCH}", _cookie),
)
