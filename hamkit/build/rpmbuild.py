"""What every rpmbuild run gets: the defines that make its output the same bytes each time."""

from __future__ import annotations

from collections.abc import Mapping

from hamkit.render.dockerfile import format_macros
from hamkit.specs import Spec


def defines(spec: Spec) -> dict[str, str]:
    """Macros for a reproducible package in the format that the distribution's rpm reads.

    Paths are relative or constant, since the expanded spec becomes part of the package.
    """
    return format_macros(spec) | {
        "_buildhost": "localhost",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
        "build_mtime_policy": "clamp_to_source_date_epoch",
        "_srcdefattr": "(644,root,root)",
        "_srcrpmdir": "/job/out",
        "_rpmdir": "/job/out",
        "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }


def argv(spec: Spec, mode: list[str], macros: Mapping[str, str]) -> list[str]:
    """An rpmbuild command; the image's rpm database may be empty, so dependencies are not asked for."""
    words = ["rpmbuild", *mode, "--nodeps"]
    words += ["--target", spec.rpm.target] if spec.rpm.target else []
    for name, value in macros.items():
        words += ["--define", f"{name} {value}"]
    return words


def environment(epoch: int) -> dict[str, str]:
    """``epoch`` in seconds; no home, so that no one's ~/.rpmmacros gets in."""
    return {"SOURCE_DATE_EPOCH": str(epoch), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
