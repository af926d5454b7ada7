"""What every rpmbuild run gets: the defines that make its output the same bytes each time."""

from __future__ import annotations

from collections.abc import Mapping

from hamkit.specs import Spec

FILE_DIGEST_NUMBERS = {"md5": 1, "sha1": 2, "sha256": 8, "sha384": 9, "sha512": 10}


def defines(spec: Spec) -> dict[str, str]:
    """Macros for a reproducible package in the format that the distribution's rpm reads.

    Paths are relative or constant, since the expanded spec becomes part of the package.
    """
    digest = str(FILE_DIGEST_NUMBERS[spec.rpm.file_digest])
    return {
        "_buildhost": "localhost",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
        "build_mtime_policy": "clamp_to_source_date_epoch",
        "_srcdefattr": "(644,root,root)",
        "_source_payload": spec.rpm.source_payload,
        "_binary_payload": spec.rpm.source_payload,
        "_source_filedigest_algorithm": digest,
        "_binary_filedigest_algorithm": digest,
        "_rpmformat": "4",
        "_topdir": "/job/rpm",
        "_srcrpmdir": "/job/out",
        "_rpmdir": "/job/out",
        "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }


def argv(mode: list[str], macros: Mapping[str, str]) -> list[str]:
    """An rpmbuild command; Debian's rpm database is empty, so dependencies are not asked for."""
    words = ["rpmbuild", *mode, "--nodeps"]
    for name, value in macros.items():
        words += ["--define", f"{name} {value}"]
    return words


def environment(epoch: int) -> dict[str, str]:
    """``epoch`` in seconds; no home, so that no one's ~/.rpmmacros gets in."""
    return {"SOURCE_DATE_EPOCH": str(epoch), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
