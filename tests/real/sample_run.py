"""A sample run, published: what the page's tests look at."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from hamkit.progress import Quiet
from hamkit.prove.comparison import Check, Comparison, StepView
from hamkit.publish.dist import PublishRequest, PublishResult, publish
from hamkit.publish.record import RunRecord, RunStart
from hamkit.publish.source import Source
from hamkit.stage import Artifact, StageResult, Verdict
from tests.unit.rpm_writer import SOURCE_FILES, File, Recipe, write

CONSOLE = Path(__file__).parent.parent / "data" / "publish" / "console.log"
MIB = 1024 * 1024
BLOCK_PAGES = 128 * MIB // 4096
BOOT_KIB = 468_556
HOSTILE = '<script>document.title = "taken"</script><img src=x onerror=alert(1)>'


@dataclass(frozen=True)
class Act:
    """A step of the sample run: what it does, its result, blocks there are after it, MemFree, new status."""

    label: str
    result: str
    blocks: int
    free_mib: int
    status: tuple[str, ...]


def line(start: int, mib: int, state: str) -> str:
    return f"{start:016x}-{start + mib * MIB - 1:016x}  rw {state}"


FIRST = line(0x20000000, 128, "ENABLED")
HOLE = line(0x28000000, 384, "ENABLED")
APART = line(0x40000000, 256, "ENABLED")
NEXT = line(0x50000000, 128, "ENABLED")
TAIL = line(0x80000000, 256, "FAILED")
BEYOND = line(0x1000000000, 128, "FAILED")
ALL_GOOD = (FIRST, HOLE, APART, NEXT)

COURSE = (
    Act("boot", "ok", 0, 429, ()),
    Act("add 0x20000000 + 128M", "ok", 1, 554, (FIRST,)),
    Act("add 0x40000000 + 256M", "ok", 3, 805, (FIRST, APART)),
    Act("add 0x50000000 + 128M", "ok", 4, 931, (FIRST, APART, NEXT)),
    Act("add 0x20000000 + 128M", "ok", 4, 931, (FIRST, APART, NEXT)),
    Act("add 0x20000000 + 640M", "ok", 7, 1307, ALL_GOOD),
    Act("add 0x61000000 + 128M", "EINVAL", 7, 1307, ALL_GOOD),
    Act("add 0x80000000 + 256M", "EEXIST", 7, 1306, (*ALL_GOOD, TAIL)),
    Act("add 0x1000000000 + 128M", "ENODEV", 7, 1306, (*ALL_GOOD, TAIL, BEYOND)),
    Act("use 640M", "ok", 7, 1299, (*ALL_GOOD, TAIL, BEYOND)),
)


def view(number: int, act: Act) -> StepView:
    total = BOOT_KIB + act.blocks * 128 * 1024
    normal = act.blocks * BLOCK_PAGES
    zones = (
        ("DMA", 4095, 3998, 3840),
        ("DMA32", 126976, 126976, BOOT_KIB // 4 - 3840),
        ("Normal", normal if act.blocks < 3 else 10 * BLOCK_PAGES, normal, normal),
        ("Movable", 0, 0, 0),
    )
    return StepView(number, act.label, act.result, total, act.free_mib * 1024, total, zones, act.status)


def checks_of(step: StepView) -> list[Check]:
    exact = [
        ("result", step.result),
        ("MemTotal, KiB", str(step.mem_total_kib)),
        ("zone DMA32 present, pages", str(step.zones[1][2])),
        ("zone Normal spanned, pages", str(step.zones[2][1])),
        ("zone Normal present, pages", str(step.zones[2][2])),
        ("zone Normal managed, pages", str(step.zones[2][3])),
        ("/proc/ham/status", "\n".join(step.status) or "(empty)"),
    ]
    checks = [Check(step.step, title, value, value, Verdict.PASS) for title, value in exact]
    allowance = "8192: pages on their way between the allocator's lists are counted late"
    spare = Check(
        step.step, "MemFree falls short of MemTotal by, KiB", "40000", "39188", Verdict.PASS, allowance
    )
    return [*checks, spare]


def comparison(bad: bool) -> Comparison:
    steps = [view(i, act) for i, act in enumerate(COURSE)]
    if bad:
        steps[5] = replace(
            steps[5], mem_total_kib=steps[5].mem_total_kib - 128 * 1024, label=f"add {HOSTILE}"
        )
    checks = [check for step in steps for check in checks_of(step)]
    if bad:
        wrong = Check(
            5, "MemTotal, KiB", str(steps[5].expected_total_kib), str(steps[5].mem_total_kib), Verdict.FAIL
        )
        unseen = Check(9, "pages verified", "163840", HOSTILE, Verdict.NOT_RUN)
        checks = [*checks, wrong, unseen]
    return Comparison(tuple(checks), tuple(steps))


def made(folder: Path, name: str, size: int) -> Path:
    """An RPM of that file name around ``size`` bytes of data."""
    path, data = folder / name, hashlib.shake_256(name.encode()).digest(size)
    source = name.endswith(".src.rpm")
    inside = (SOURCE_FILES[1], File("notes", data)) if source else (File("/usr/share/doc/ham/notes", data),)
    path.write_bytes(write(Recipe(source=source, files=inside)))
    return path


def published(folder: Path, bad: bool = False) -> PublishResult:
    """A sample run through the real record and the real publish."""
    planned = ("image", "srpm", "check", "build", "boot", "prove", "publish")
    argv = ("release", "--distro", "debian-12")
    commit = Source(commit=hashlib.sha1(b"sample").hexdigest(), modified=bad)
    record = RunRecord(folder / "result.json", RunStart("debian-12", argv, planned, commit))
    srpm = made(folder, "ham-0.1.0-1.src.rpm", 48_213)
    rpms = [
        made(folder, f"{name}-0.1.0-1.x86_64.rpm", size)
        for name, size in (("ham-kmod", 31_040), ("hamctl", 412_880))
    ]
    console = folder / "console.log"
    console.write_text(CONSOLE.read_text() + (f"[    9.9] {HOSTILE}\n" if bad else ""))
    image = "sha256:" + hashlib.sha256(b"image").hexdigest()
    record.learn(
        kernel_release="6.1.0-50-amd64",
        tools={"rpmbuild": "4.18.0", "gcc": "12.2.0", "qemu-system-x86_64": "7.2.22", "docker": "29.1.0"},
        images={"hamkit/debian-12": image},
        processes=[["rpmbuild", "-bs", "--define", "_topdir /build", "ham.spec"]],
    )
    outcome = Verdict.FAIL if bad else Verdict.PASS
    for stage in (
        StageResult(
            "image", Verdict.PASS, 0.41, "debian:12 with what the build needs", {"recipe": image}, cached=True
        ),
        StageResult(
            "srpm", Verdict.PASS, 2.3, "ham-0.1.0-1.src.rpm", {"ham-src": image[7:]}, (Artifact.of(srpm),)
        ),
        StageResult("check", Verdict.PASS, 0.12, "14 rules of rpm 4.18.0"),
        StageResult(
            "build",
            Verdict.PASS,
            31.7,
            "2 packages",
            {srpm.name: Artifact.of(srpm).sha256},
            tuple(Artifact.of(rpm) for rpm in rpms),
            {"kernel": "6.1.0-50-amd64", "warnings": 0},
        ),
        StageResult(
            "boot", Verdict.PASS, 24.9, "powered down after the scenario", outputs=(Artifact.of(console),)
        ),
        StageResult("prove", outcome, 0.05, "2 checks do not hold" if bad else "every check holds"),
    ):
        record.add(stage)
    record.compare(comparison(bad))
    files = {path.name: path for path in (srpm, *rpms, console)}
    return publish(PublishRequest(record.result, files, folder / "dist"), Quiet())
