"""The bill of materials of a release, as CycloneDX 1.6 JSON.

Each RPM is a component with its files inside it; what was installed in the build
image is listed with the scope ``excluded``: it made the packages and is not in them.
Names are package URLs. The same release gives the same bytes: the serial number is
derived from the digests, the time is the run's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from hamkit.publish.record import RunResult, Shipped
from hamkit.rpmfiles import Package, read_package
from hamkit.rpmfiles.tags import DIGEST_NAMES, Tag

SBOM_NAME = "sbom.cdx.json"
ENVIRONMENT_NAME = "build-environment.txt"
SERIALS = uuid.UUID("6e2a2f0e-3c0b-5d0e-9a54-0f6f3a0d8a11")  # our name space for serial numbers
FILE_HASHES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


def render_sbom(result: RunResult, folder: Path) -> str:
    """The document for the release in ``folder``; raises BadPackage for an RPM that is none."""
    root = Component(
        name="ham",
        version=result.hamkit,
        type=ComponentType.APPLICATION,
        bom_ref="ham",
        licenses=[LicenseExpression("GPL-2.0-only")],
        description=f"Linux Hot-Add Memory for {result.distro}",
    )
    bom = Bom(serial_number=_serial(result))
    bom.metadata.timestamp = result.started
    bom.metadata.component = root
    bom.metadata.tools.components.add(
        Component(name="hamkit", version=result.hamkit, type=ComponentType.APPLICATION, bom_ref="hamkit")
    )
    packages = [_package(file, folder) for file in result.artifacts if file.name.endswith(".rpm")]
    for component in (*packages, *_environment(folder / ENVIRONMENT_NAME, result)):
        bom.components.add(component)
    bom.register_dependency(root, packages)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _serial(result: RunResult) -> uuid.UUID:
    names = "\n".join(f"{file.sha256} {file.name}" for file in result.artifacts)
    return uuid.uuid5(SERIALS, f"{result.distro}\n{names}")


def _package(file: Shipped, folder: Path) -> Component:
    package = read_package(folder / file.name)
    header = package.header
    name = header.string(Tag.NAME)
    version = f"{header.string(Tag.VERSION)}-{header.string(Tag.RELEASE)}"
    arch = "src" if package.is_source else header.string(Tag.ARCH)
    url = PackageURL("rpm", None, name, version, {"arch": arch})
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY if package.is_source else ComponentType.APPLICATION,
        bom_ref=str(url),
        purl=url,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
        licenses=[_license(header.string(Tag.LICENSE))],
        description=header.string(Tag.SUMMARY),
        components=list(_files(package, str(url))),
        properties=[Property(name="hamkit:file", value=file.name)],
    )


def _license(text: str) -> DisjunctiveLicense | LicenseExpression:
    """Old dialects write ``GPL``, which is no SPDX expression: then it is a name."""
    return LicenseExpression(text) if text.startswith("GPL-") else DisjunctiveLicense(name=text or "unknown")


def _files(package: Package, owner: str) -> Iterator[Component]:
    algorithm = DIGEST_NAMES.get(package.header.integer(Tag.FILEDIGESTALGO) or 1, "")
    known = HashAlgorithm(FILE_HASHES[algorithm]) if algorithm in FILE_HASHES else None
    for file in package.files:
        if file.is_regular and file.in_payload:
            digests = [HashType(alg=known, content=file.digest)] if known and file.digest else []
            yield Component(
                name=file.name, type=ComponentType.FILE, bom_ref=f"{owner}#{file.name}", hashes=digests
            )


def _environment(listing: Path, result: RunResult) -> Iterator[Component]:
    """Packages of the build image: lines of name, version, architecture."""
    kinds = [stage.facts.get("package_type") for stage in result.stages if stage.name == "image"]
    kind = str(next((kind for kind in kinds if kind), "deb"))
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    for line in sorted(set(lines)):
        name, version, arch = line.split()
        url = PackageURL(kind, "debian" if kind == "deb" else None, name, version, {"arch": arch})
        yield Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            scope=ComponentScope.EXCLUDED,
            bom_ref=str(url),
            purl=url,
            properties=[Property(name="hamkit:role", value="build environment")],
        )
