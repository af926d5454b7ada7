"""Where a release comes from: an in-toto Statement v1 with SLSA Provenance v1.

Subjects are the packages and the bill of materials; every input of every stage is a
resolved dependency by digest. Signing (``hamkit.publish.signing``) wraps the same bytes
in a DSSE envelope. Sources: in-toto attestation framework v1, SLSA v1.0 provenance.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable

from hamkit.publish.record import RunResult, Shipped

PROVENANCE_NAME = "provenance.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:hamkit:release:v1"
BUILDER = "urn:hamkit:local"
DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")

Json = dict[str, object]


def statement(result: RunResult, subjects: Iterable[Shipped]) -> str:
    """The statement as JSON text, the same for the same release."""
    shipped = sorted(subjects, key=lambda file: file.name)
    body = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": file.name, "digest": {"sha256": file.sha256}} for file in shipped],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"buildDefinition": _definition(result), "runDetails": _details(result)},
    }
    return json.dumps(body, indent=2) + "\n"


def _definition(result: RunResult) -> Json:
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {"argv": list(result.argv), "distro": result.distro},
        "internalParameters": {"kernelRelease": result.kernel_release},
        "resolvedDependencies": [*_source(result), *_images(result), *_inputs(result)],
    }


def _details(result: RunResult) -> Json:
    ended = result.started + datetime.timedelta(seconds=result.seconds)
    logs = [file for file in result.artifacts if file.name in result.logs]
    return {
        "builder": {"id": BUILDER, "version": {"hamkit": result.hamkit} | dict(sorted(result.tools.items()))},
        "metadata": {"startedOn": _time(result.started), "finishedOn": _time(ended)},
        "byproducts": [{"name": file.name, "digest": {"sha256": file.sha256}} for file in logs],
    }


def _source(result: RunResult) -> list[Json]:
    """hamkit's own checkout; nothing where the commit is not known."""
    if result.source.commit is None:
        return []
    source: Json = {"name": "hamkit", "digest": {"gitCommit": result.source.commit}}
    return [source | ({"annotations": {"modified": True}} if result.source.modified else {})]


def _images(result: RunResult) -> list[Json]:
    return [
        {"name": f"image {name}", "digest": {"sha256": found[1]}}
        for name, digest in sorted(result.images.items())
        if (found := DIGEST.fullmatch(digest))
    ]


def _inputs(result: RunResult) -> list[Json]:
    """Each stage's inputs; what has no SHA-256 is no input that could be named by digest."""
    return [
        {"name": f"{stage.name}: {name}", "digest": {"sha256": found[1]}}
        for stage in result.stages
        for name, digest in sorted(stage.inputs.items())
        if (found := DIGEST.fullmatch(digest))
    ]


def _time(when: datetime.datetime) -> str:
    return when.astimezone(datetime.UTC).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")
