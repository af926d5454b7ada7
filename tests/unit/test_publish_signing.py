"""A release signed with a real key, verified as its receiver would; every change is seen."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from hamkit.errors import Failure, UserError
from hamkit.progress import Quiet
from hamkit.publish import signing
from hamkit.publish.dist import PublishRequest, publish
from hamkit.publish.gpg import KeyRing
from hamkit.publish.record import RunRecord, RunStart, load
from hamkit.publish.sums import SIGNATURE_NAME, write_sums
from hamkit.publish.verify import VerifyRequest, verify
from hamkit.stage import Artifact, StageResult, Verdict
from tests.unit.rpm_writer import BINARY_FILES, Recipe, write

NEEDED = ("gpg", "rpmsign", "rpmkeys")
pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in NEEDED), reason="apt-get install gnupg rpm"
)
GPG_KEY = """Key-Type: RSA
Key-Length: 2048
Key-Usage: sign
Name-Real: {}
Name-Email: {}@localhost
%no-protection
"""


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """A key ring with two secret keys that can sign."""
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    ring = KeyRing(home)
    for name in ("release", "other"):
        ring.gpg("--generate-key", data=GPG_KEY.format(name, name).encode())
    return ring


def released(folder: Path, verdict: Verdict = Verdict.PASS) -> Path:
    """A published release with a source and a binary RPM."""
    made = {
        "ham-1.0-1.src.rpm": write(Recipe()),
        "ham-1.0-1.x86_64.rpm": write(Recipe(source=False, files=BINARY_FILES)),
        "build-environment.txt": b"gcc 4:12.2.0-3 amd64\nmake 4.3-4.1 amd64\n",
    }
    paths = {name: folder / name for name in made}
    for name, raw in made.items():
        paths[name].write_bytes(raw)
    record = RunRecord(folder / "result.json", RunStart("debian-12", ("release",), ("build", "publish")))
    outputs = tuple(Artifact.of(path) for path in paths.values())
    record.add(StageResult("build", verdict, 1.0, inputs={"srpm": "sha256:" + "a" * 64}, outputs=outputs))
    return publish(PublishRequest(record.result, paths, folder / "dist"), Quiet()).folder


def signed(folder: Path, ring: KeyRing) -> signing.SignResult:
    return signing.sign(signing.SignRequest(released(folder), "release@localhost", (4, 18), ring), Quiet())


def test_signed_and_verified(tmp_path: Path, ring: KeyRing) -> None:
    done = signed(tmp_path, ring)
    found = verify(VerifyRequest(done.folder, done.fingerprint))
    assert [v.verdict for v in found] == [Verdict.PASS] * 5, found
    record = load(done.folder / "result.json")
    stage = next(s for s in record.stages if s.name == "sign")
    assert set(stage.inputs) == {"ham-1.0-1.src.rpm", "ham-1.0-1.x86_64.rpm"}
    page = (done.folder / "index.html").read_text()
    assert all(f'href="{name}"' in page for name in ("SHA256SUMS.asc", "provenance.dsse.json"))
    unsigned = (tmp_path / "ham-1.0-1.src.rpm").read_bytes()
    assert unsigned != (done.folder / "ham-1.0-1.src.rpm").read_bytes()
    assert unsigned.endswith((done.folder / "ham-1.0-1.src.rpm").read_bytes()[-200:])


def test_envelope_is_what_dsse_says(tmp_path: Path, ring: KeyRing) -> None:
    folder = signed(tmp_path, ring).folder
    envelope = json.loads((folder / "provenance.dsse.json").read_text())
    payload = base64.b64decode(envelope["payload"])
    assert payload == (folder / "provenance.json").read_bytes()
    kind = envelope["payloadType"].encode()
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    argv = ["gpg", "--homedir", str(ring.home), "--verify", str(tmp_path / "sig"), "-"]
    subprocess.run(argv, input=encoded, check=True, capture_output=True)


def flip(path: Path, place: int = 40) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


def change_package(folder: Path) -> None:
    """A package that was changed, and checksums written anew over it."""
    flip(folder / "ham-1.0-1.src.rpm", -20)
    write_sums(folder)


def unsigned_package(folder: Path) -> None:
    (folder / "ham-1.0-1.src.rpm").write_bytes(write(Recipe()))
    write_sums(folder)


def forge_statement(folder: Path) -> None:
    path = folder / "provenance.json"
    path.write_text(path.read_text().replace('"release"', '"forged"'))
    write_sums(folder)


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (lambda f: flip(f / "ham-1.0-1.x86_64.rpm", -20), {"checksums", "provenance", "packages"}),
        (change_package, {"signature of the checksums", "provenance", "packages"}),
        (unsigned_package, {"signature of the checksums", "provenance", "packages"}),
        (forge_statement, {"signature of the checksums", "provenance"}),
        (lambda f: flip(f / "SHA256SUMS.asc", 200), {"signature of the checksums"}),
        (lambda f: (f / "ham-1.0-1.src.rpm").unlink(), {"checksums", "provenance", "packages"}),
        (lambda f: (f / "SHA256SUMS.asc").unlink(), {"signature"}),
    ],
)
def test_every_change_is_seen(
    tmp_path: Path, ring: KeyRing, change: Callable[[Path], None], failing: set[str]
) -> None:
    done = signed(tmp_path, ring)
    change(done.folder)
    found = verify(VerifyRequest(done.folder, done.fingerprint))
    assert {v.what for v in found if v.verdict is Verdict.FAIL} == failing, found


def test_another_key_does_not_pass_for_the_one_that_was_asked_for(tmp_path: Path, ring: KeyRing) -> None:
    done = signed(tmp_path, ring)
    found = verify(VerifyRequest(done.folder, ring.secret_key("other@localhost")))
    assert {v.what for v in found if v.verdict is Verdict.FAIL} == {"key"}
    assert "nobody vouched" in next(v.seen for v in verify(VerifyRequest(done.folder)) if v.what == "key")


@pytest.mark.parametrize(
    ("key", "reason"), [("nobody@localhost", "no secret key"), ("localhost", "means 2 secret keys")]
)
def test_keys_that_will_not_do(tmp_path: Path, ring: KeyRing, key: str, reason: str) -> None:
    folder = released(tmp_path)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(UserError, match=reason):
        signing.sign(signing.SignRequest(folder, key, (4, 18), ring), Quiet())
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_what_may_not_be_signed(tmp_path: Path, ring: KeyRing) -> None:
    twice = signed(tmp_path, ring)
    with pytest.raises(UserError, match="signed already"):
        signing.sign(signing.SignRequest(twice.folder, "release@localhost", (4, 18), ring), Quiet())
    (tmp_path / "b").mkdir()
    failed = released(tmp_path / "b", Verdict.FAIL)
    with pytest.raises(UserError, match="did not pass"):
        signing.sign(signing.SignRequest(failed, "release@localhost", (4, 18), ring), Quiet())
    (tmp_path / "c").mkdir()
    changed = released(tmp_path / "c")
    flip(changed / "index.html")
    with pytest.raises(Failure, match=r"index\.html has changed"):
        signing.sign(signing.SignRequest(changed, "release@localhost", (4, 18), ring), Quiet())
    assert not (changed / SIGNATURE_NAME).exists()


def test_old_rpm_gets_a_signature_over_header_and_payload(tmp_path: Path, ring: KeyRing) -> None:
    folder = released(tmp_path)
    signing.sign(signing.SignRequest(folder, "release@localhost", (4, 0, 2), ring), Quiet())
    query = ["rpm", "-qp", "--qf", "%{SIGPGP:pgpsig}", str(folder / "ham-1.0-1.src.rpm")]
    shown = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    assert "RSA/SHA256" in shown


def test_bill_of_materials_is_valid_and_names_everything(tmp_path: Path) -> None:
    folder = released(tmp_path)
    bill = json.loads((folder / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    urls = {c["purl"]: c for c in bill["components"]}
    source = urls["pkg:rpm/ham@1.0-1?arch=src"]
    assert {c["name"] for c in source["components"]} == {"ham.spec", "ham-1.0.tar.gz"}
    assert urls["pkg:deb/debian/make@4.3-4.1?arch=amd64"]["scope"] == "excluded"
    digest = next(a.sha256 for a in load(folder / "result.json").artifacts if a.name.endswith(".src.rpm"))
    assert source["hashes"] == [{"alg": "SHA-256", "content": digest}]
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


STATEMENT = {
    "type": "object",
    "required": ["_type", "subject", "predicateType", "predicate"],
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "predicateType": {"const": "https://slsa.dev/provenance/v1"},
        "subject": {"minItems": 3, "items": {"required": ["name", "digest"]}},
        "predicate": {
            "required": ["buildDefinition", "runDetails"],
            "properties": {
                "buildDefinition": {"required": ["buildType", "externalParameters", "resolvedDependencies"]},
                "runDetails": {"required": ["builder", "metadata"]},
            },
        },
    },
}


def test_provenance_names_subjects_and_inputs_by_digest(tmp_path: Path) -> None:
    folder = released(tmp_path)
    statement = json.loads((folder / "provenance.json").read_text())
    Draft202012Validator(STATEMENT).validate(statement)
    assert {s["name"] for s in statement["subject"]} == {
        "ham-1.0-1.src.rpm",
        "ham-1.0-1.x86_64.rpm",
        "sbom.cdx.json",
    }
    inputs = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {"name": "build: srpm", "digest": {"sha256": "a" * 64}} in inputs
    assert str(tmp_path) not in json.dumps(statement)
