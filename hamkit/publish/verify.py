"""Verifies a signed release as its receiver would: checksums, signatures, provenance.

The key comes with the release; what makes it trustworthy is its fingerprint, which the
receiver knows from elsewhere and gives. The caller's own key ring is neither used nor changed.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import Failure, HamkitError, MissingNeed, UserError
from hamkit.files import cache_root, sha256_file
from hamkit.publish.dist import RESULT_NAME
from hamkit.publish.gpg import KeyRing
from hamkit.publish.provenance import PROVENANCE_NAME
from hamkit.publish.record import load
from hamkit.publish.signing import ENVELOPE_NAME, KEY_NAME, open_envelope
from hamkit.publish.sums import SIGNATURE_NAME, SUMS_NAME, verify_sums
from hamkit.run import run
from hamkit.stage import Verdict

GOOD_RPM = re.compile(r"\bSignature, key ID [0-9a-f]+: OK\b")
COLUMNS = ("verdict", "what", "seen")


@dataclass(frozen=True)
class Verification:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    seen: str


@dataclass(frozen=True)
class VerifyRequest:
    """``fingerprint``: the key that must have signed; empty takes the release's own word for it."""

    folder: Path
    fingerprint: str = ""


def verify(request: VerifyRequest) -> tuple[Verification, ...]:
    """All that can be verified, in order. Raises UserError when there is no release in the folder."""
    folder = request.folder
    if not (folder / SUMS_NAME).is_file():
        raise UserError(f"there is no release in {folder}", "name a folder with SHA256SUMS")
    found = [_looked("checksums", lambda: f"{verify_sums(folder)} files")]
    if not (folder / SIGNATURE_NAME).is_file():
        found.append(Verification("signature", Verdict.FAIL, "the release is not signed"))
        return tuple(found)
    with tempfile.TemporaryDirectory(dir=cache_root(), prefix="gpg-") as home:
        Path(home).chmod(0o700)
        ring = KeyRing(Path(home))
        found.append(_looked("key", lambda: _key(request, ring)))
        found.append(_looked("signature of the checksums", lambda: _sums(folder, ring)))
        found.append(_looked("provenance", lambda: _provenance(folder, ring)))
        found.append(_looked("packages", lambda: _packages(folder, Path(home))))
    return tuple(found)


def _looked(what: str, look: Callable[[], str]) -> Verification:
    try:
        return Verification(what, Verdict.PASS, look())
    except MissingNeed as need:
        return Verification(what, Verdict.NOT_RUN, f"{need.message}: {need.hint}")
    except HamkitError as bad:
        return Verification(what, Verdict.FAIL, bad.message)


def _key(request: VerifyRequest, ring: KeyRing) -> str:
    keys = ring.learn(request.folder / KEY_NAME)
    wanted = request.fingerprint.replace(" ", "").upper()
    if len(keys) != 1 or (wanted and wanted != keys[0]):
        raise Failure(f"the release's key is {', '.join(keys)}, not {wanted or 'one key'}", "ask who made it")
    return keys[0] if wanted else f"{keys[0]}, which nobody vouched for: give --key FINGERPRINT"


def _sums(folder: Path, ring: KeyRing) -> str:
    return f"good, by {ring.signer(folder / SIGNATURE_NAME, (folder / SUMS_NAME).read_bytes())}"


def _provenance(folder: Path, ring: KeyRing) -> str:
    try:
        payload, signed, signatures = open_envelope(folder / ENVELOPE_NAME)
        subjects = json.loads(payload)["subject"]
    except (OSError, ValueError, KeyError, TypeError) as bad:
        raise Failure(f"{ENVELOPE_NAME} is no envelope: {bad}") from bad
    if payload != (folder / PROVENANCE_NAME).read_bytes():
        raise Failure(f"{ENVELOPE_NAME} holds another statement than {PROVENANCE_NAME}")
    by = [_signer(ring, signed, raw) for raw in signatures.values()]
    if not by:
        raise Failure(f"{ENVELOPE_NAME} has no signature")
    wrong = [s["name"] for s in subjects if not _is(folder / s["name"], s["digest"]["sha256"])]
    if wrong:
        raise Failure(f"the provenance is of other files: {', '.join(wrong)}")
    return f"{len(subjects)} subjects, good, by {', '.join(by)}"


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_file(path) == sha256


def _signer(ring: KeyRing, signed: bytes, raw: bytes) -> str:
    with tempfile.NamedTemporaryFile(dir=ring.home, suffix=".sig") as stream:
        stream.write(raw)
        stream.flush()
        return ring.signer(Path(stream.name), signed)


def _packages(folder: Path, scratch: Path) -> str:
    """Each RPM by rpm's own ``rpmkeys``, with a database that knows the release's key only."""
    names = [file.name for file in load(folder / RESULT_NAME).artifacts if file.name.endswith(".rpm")]
    database = ("--dbpath", str(scratch / "rpmdb"))
    run(["rpmkeys", *database, "--import", folder / KEY_NAME], package="rpm")
    wrong = []
    for name in names:
        done = run(
            ["rpmkeys", *database, "--checksig", "--verbose", folder / name], package="rpm", check=False
        )
        if done.returncode or "ignature" not in done.stdout:
            wrong.append(name)
    if wrong:
        raise Failure(f"not signed by the release's key: {', '.join(wrong)}")
    return f"{len(names)} RPMs, good"
