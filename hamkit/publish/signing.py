"""Signs a finished release: its RPMs, its provenance, its checksums; all of it or nothing.

An RPM that is signed has another digest than the one that was proven, though header
and payload are the same: the record gets a stage ``sign`` that maps one to the other,
and the rest of the evidence is written anew over the signed files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature

from hamkit.errors import UserError
from hamkit.files import cache_root, folder_whole, write_whole
from hamkit.progress import Progress
from hamkit.publish.dist import RESULT_NAME, shipped_file, write_evidence
from hamkit.publish.gpg import PACKAGE, KeyRing
from hamkit.publish.places import Places
from hamkit.publish.provenance import PAYLOAD_TYPE, PROVENANCE_NAME
from hamkit.publish.record import RunResult, Shipped, load, stage_record
from hamkit.publish.sums import SIGNATURE_NAME, SUMS_NAME, verify_sums, write_sums
from hamkit.run import find, run
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

STAGE_NAME = "sign"
KEY_NAME = "RELEASE-KEY.asc"
ENVELOPE_NAME = "provenance.dsse.json"
HEADER_ONLY_SINCE = (4, 14)  # rpm that is content with a signature over the header


@dataclass(frozen=True)
class SignRequest:
    """``folder`` is a published release; ``key`` whatever gpg takes for one secret key.

    ``rpm`` is the version of the rpm that will read the packages: old ones want a
    signature over header and payload too.
    """

    folder: Path
    key: str
    rpm: tuple[int, ...]
    ring: KeyRing = field(default_factory=KeyRing)


@dataclass(frozen=True)
class SignResult:
    """``fingerprint`` of the key; the record that the folder now holds."""

    stage: StageResult
    result: RunResult
    fingerprint: str
    folder: Path


def sign(request: SignRequest, progress: Progress) -> SignResult:
    """Sign ``folder`` in place; it is replaced only when everything is signed.

    Raises UserError (no such release, signed already, a failed run, no such key), Failure
    (the folder is not what its SHA256SUMS say), MissingNeed (no gpg, no rpmsign).
    """
    watch, folder = Stopwatch(), request.folder
    before = _releasable(folder)
    fingerprint = request.ring.secret_key(request.key)
    with progress.step(f"sign {folder.name}"), folder_whole(folder) as work:
        shutil.copytree(folder, work, dirs_exist_ok=True)
        packages = [work / file.name for file in before.artifacts if file.name.endswith(".rpm")]
        _sign_rpms(packages, fingerprint, request)
        write_whole(work / KEY_NAME, request.ring.public_key(fingerprint))
        shipped = tuple(shipped_file(file.name, work / file.name) for file in before.artifacts)
        stage = _stage(before, shipped, work, fingerprint, watch)
        result = before.with_changes(
            artifacts=shipped, seconds=round(before.seconds + stage.seconds, 3)
        ).with_stage(stage_record(stage, Places.of_this_machine()))
        write_evidence(result, work)
        write_whole(work / ENVELOPE_NAME, _envelope(work / PROVENANCE_NAME, fingerprint, request.ring))
        sums = write_sums(work)
        request.ring.sign(fingerprint, sums.read_bytes(), work / SIGNATURE_NAME, armor=True)
    return SignResult(stage, result, fingerprint, folder)


def _releasable(folder: Path) -> RunResult:
    """The record of a release that may be signed."""
    if not (folder / SUMS_NAME).is_file():
        raise UserError(f"there is no release in {folder}", "make one: invoke release --distro NAME")
    verify_sums(folder)
    result = load(folder / RESULT_NAME)
    if result.verdict is not Verdict.PASS:
        raise UserError(f"the release in {folder} did not pass: {result.verdict.value}", "mend it first")
    if any(stage.name == STAGE_NAME for stage in result.stages):
        raise UserError(f"the release in {folder} is signed already", "make it anew to sign it again")
    return result


def _sign_rpms(packages: list[Path], fingerprint: str, request: SignRequest) -> None:
    old = ("--rpmv3",) if request.rpm < HEADER_ONLY_SINCE else ()
    program = find("gpg", PACKAGE)  # rpm starts it without a search along PATH
    macros = {"__gpg": str(program), "_gpg_name": fingerprint, "_gpg_digest_algo": "sha256"}
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    if packages:
        argv = ["rpmsign", *old, *defines, "--addsign", *packages]
        run(argv, package="rpm", env=request.ring.environment())


def _stage(
    before: RunResult, shipped: tuple[Shipped, ...], work: Path, fingerprint: str, watch: Stopwatch
) -> StageResult:
    changed = [(old, new) for old, new in zip(before.artifacts, shipped, strict=True) if old != new]
    return StageResult(
        STAGE_NAME,
        Verdict.PASS,
        watch.seconds,
        f"{len(changed)} packages, by {fingerprint}",
        inputs={old.name: old.sha256 for old, _ in changed},
        outputs=tuple(Artifact(work / new.name, new.sha256, new.size) for _, new in changed),
        facts={"fingerprint": fingerprint},
    )


def _envelope(payload: Path, fingerprint: str, ring: KeyRing) -> str:
    """A DSSE envelope; its signature is a detached OpenPGP one over the pre-authentication encoding."""
    envelope = Envelope(payload.read_bytes(), PAYLOAD_TYPE, {})
    with tempfile.TemporaryDirectory(dir=cache_root()) as scratch:
        raw = ring.sign(fingerprint, envelope.pae(), Path(scratch, "sig"), armor=False).read_bytes()
    envelope.signatures[fingerprint] = Signature(fingerprint, raw.hex())
    return json.dumps(envelope.to_dict(), indent=2) + "\n"


def open_envelope(path: Path) -> tuple[bytes, bytes, dict[str, bytes]]:
    """Payload, what was signed, and signatures by key id. Raises ValueError or KeyError for anything else."""
    envelope = Envelope.from_dict(json.loads(path.read_bytes()))
    signatures = {name: bytes.fromhex(s.signature) for name, s in envelope.signatures.items()}
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"the envelope holds {envelope.payload_type}")
    return envelope.payload, envelope.pae(), signatures
