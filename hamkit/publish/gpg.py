"""GnuPG as far as a release needs it: which key, detached signatures, who signed.

Keys stay where their owner keeps them: the key ring is GnuPG's own (``GNUPGHOME``), a
passphrase is asked for by its agent. Verifying uses a key ring of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from hamkit.errors import Failure, UserError
from hamkit.run import Completed, run

PACKAGE = "gnupg"
SIGNER_ENVIRONMENT = ("GNUPGHOME", "GPG_TTY", "TERM", "DISPLAY")  # where the keys are, how the agent asks
UNUSABLE = {"e": "has expired", "r": "is revoked", "d": "is disabled", "i": "is invalid", "n": "is not valid"}
VALIDITY, CAPABILITIES, VALUE = 1, 11, 9  # fields of --with-colons (GnuPG's doc/DETAILS)


@dataclass(frozen=True)
class KeyRing:
    """A GnuPG home; None is the caller's own."""

    home: Path | None = None
    extra: tuple[str, ...] = field(default=("--batch", "--no-tty", "--quiet"))

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in SIGNER_ENVIRONMENT if name in os.environ}
        return kept if self.home is None else kept | {"GNUPGHOME": str(self.home)}

    def gpg(self, *words: str | Path, data: bytes | None = None, check: bool = True) -> Completed:
        """Run gpg on this key ring. Raises MissingNeed, and ToolFailed when ``check``."""
        argv = ["gpg", *self.extra, *words]
        return run(argv, package=PACKAGE, env=self.environment(), data=data, check=check)

    def secret_key(self, name: str) -> str:
        """Fingerprint (40 or 64 hex digits) of the one usable secret key that ``name`` means.

        Raises UserError when there is none, more than one, or one that cannot sign.
        """
        found = self.gpg("--with-colons", "--list-secret-keys", "--", name, check=False)
        keys = _keys(found.stdout)
        if not keys:
            hint = "gpg --list-secret-keys shows those there are; GNUPGHOME names another key ring"
            raise UserError(f"there is no secret key {name!r}", hint)
        if len(keys) > 1:
            prints = ", ".join(fingerprint for fingerprint, _, _ in keys)
            raise UserError(
                f"{name!r} means {len(keys)} secret keys: {prints}", "name one by its fingerprint"
            )
        fingerprint, validity, capabilities = keys[0]
        if validity in UNUSABLE:
            raise UserError(f"the key {fingerprint} {UNUSABLE[validity]}", "name another key")
        if "S" not in capabilities:
            raise UserError(f"the key {fingerprint} cannot sign", "name another key")
        return fingerprint

    def sign(self, fingerprint: str, data: bytes, target: Path, armor: bool) -> Path:
        """Write a detached signature over ``data`` to ``target``."""
        form = ("--armor",) if armor else ()
        words = ("--yes", "--local-user", fingerprint, "--digest-algo", "SHA256", *form)
        self.gpg(*words, "--output", target, "--detach-sign", data=data)
        return target

    def public_key(self, fingerprint: str) -> str:
        """The public key, ASCII-armoured."""
        return self.gpg("--armor", "--export", "--export-options", "export-minimal", fingerprint).stdout

    def learn(self, key: Path) -> tuple[str, ...]:
        """Import public keys; their fingerprints. Raises Failure when the file holds none."""
        self.gpg("--import", key, check=False)
        found = _keys(self.gpg("--with-colons", "--list-keys").stdout)
        if not found:
            raise Failure(f"{key.name} holds no public key", "fetch the release again")
        return tuple(fingerprint for fingerprint, _, _ in found)

    def signer(self, signature: Path, data: bytes) -> str:
        """Fingerprint of the primary key whose good signature over ``data`` the file holds.

        Raises Failure when the signature is bad or by a key that this ring does not know.
        """
        words = ("--status-fd", "1", "--verify", signature, "-")
        done = self.gpg(*words, data=data, check=False)
        valid = [line.split() for line in done.stdout.splitlines() if line.startswith("[GNUPG:] VALIDSIG ")]
        if done.returncode != 0 or len(valid) != 1:
            why = (done.stderr.strip().splitlines() or ["no good signature"])[-1]
            raise Failure(f"{signature.name} is no good signature: {why}", "do not use these files")
        return valid[0][-1]


def _keys(listing: str) -> list[tuple[str, str, str]]:
    """Primary keys of a listing with colons: fingerprint, validity, capabilities."""
    found: list[tuple[str, str, str]] = []
    head: list[str] | None = None
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in ("sec", "pub"):
            head = fields
        elif fields[0] == "fpr" and head is not None:
            found.append((fields[VALUE], head[VALIDITY], head[CAPABILITIES]))
            head = None
    return found
