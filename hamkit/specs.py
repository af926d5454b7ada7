"""Loads and validates ``specs/*.toml``: one file per distribution, facts only.

All mistakes of all files are reported at once, each with file and field.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from hamkit.errors import UserError
from hamkit.files import project_root

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._{}-]*$")]
Compressor = Literal["none", "gzip", "bzip2", "lzma", "xz", "zstd"]
FileDigest = Literal["md5", "sha1", "sha256", "sha384", "sha512"]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Distribution(_Facts):
    """Who the distribution is. ``line`` says which of the two kernel lines it ships."""

    name: Word
    title: str
    family: Literal["debian"]
    line: Literal["2.4", "mainline"]
    end_of_life: datetime.date


class Image(_Facts):
    """Where its build image comes from: a reference to pull, or a suite to bootstrap.

    ``frozen`` accepts a package index past its date: a suite after its end of life, a snapshot.
    """

    reference: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9._-]+$")]
    suite: Word
    frozen: bool = False
    packages: tuple[Word, ...] = Field(min_length=1)


class Kernel(_Facts):
    """How its kernels are packaged. ``{flavour}`` and ``{release}`` are filled in by the build."""

    flavours: tuple[Word, ...] = Field(min_length=1)
    headers_package: Word
    image_packages: tuple[Word, ...] = Field(min_length=1)
    image_path: str
    build_tree: str

    @property
    def default_flavour(self) -> str:
        return self.flavours[0]


class Rpm(_Facts):
    """What its rpm understands, and what the source RPM made for it must use.

    ``file_digest`` and ``source_payload`` are rpm's names (``w9.gzdio``: gzip, level 9).
    """

    version: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)+$")]
    spec_dialect: Literal["kmod"]
    release_suffix: Annotated[str, StringConstraints(pattern=r"^(\.[a-z0-9]+)?$")]
    payload_compressors: tuple[Compressor, ...] = Field(min_length=1)
    file_digests: tuple[FileDigest, ...] = Field(min_length=1)
    source_payload: Annotated[
        str, StringConstraints(pattern=r"^w\d*\.(ufdio|gzdio|bzdio|xzdio|lzdio|zstdio)$")
    ]
    file_digest: FileDigest
    rpmlib: tuple[Word, ...]

    @property
    def version_tuple(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))

    @model_validator(mode="after")
    def _digest_is_known(self) -> Self:
        if self.file_digest not in self.file_digests:
            raise ValueError(f"file_digest {self.file_digest!r} is not among file_digests")
        return self


class Spec(_Facts):
    """One distribution, whole."""

    distribution: Distribution
    image: Image
    kernel: Kernel
    rpm: Rpm

    @property
    def name(self) -> str:
        return self.distribution.name


def specs_folder() -> Path:
    return project_root() / "specs"


def load_all(folder: Path | None = None) -> dict[str, Spec]:
    """Every distribution by name, in natural order (debian-9 before debian-12).

    Raises UserError listing every mistake of every file.
    """
    found: dict[str, Spec] = {}
    mistakes: list[str] = []
    for path in sorted((folder or specs_folder()).glob("*.toml"), key=_natural):
        spec, wrong = _read(path)
        mistakes += wrong
        if spec is not None:
            found[spec.name] = spec
    if mistakes:
        raise UserError("\n".join(mistakes), "mend the named fields")
    return found


def load(name: str, folder: Path | None = None) -> Spec:
    """One distribution. Raises UserError naming those that exist."""
    known = load_all(folder)
    if name not in known:
        raise UserError(f"no distribution is called {name!r}", f"one of: {', '.join(known)}")
    return known[name]


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(t), "") if t.isdigit() else (0, t) for t in re.split(r"(\d+)", path.stem)]


def _read(path: Path) -> tuple[Spec | None, list[str]]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as bad:
        return None, [f"{path.name}: not readable as TOML: {bad}"]
    try:
        spec = Spec.model_validate(data)
    except ValidationError as bad:
        return None, [f"{path.name}: {_where(e['loc'])}: {e['msg']}" for e in bad.errors()]
    if spec.name != path.stem:
        return None, [f"{path.name}: distribution.name: {spec.name!r} is not the name of the file"]
    return spec, []


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(file)"
