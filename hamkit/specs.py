"""Loads and validates ``specs/*.toml``: one file per distribution, facts only.

All mistakes of all files are reported at once, each with file and field. What could not be
verified is named in a file's ``unverified`` list, field by field.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)

from hamkit import rpmhistory
from hamkit.errors import UserError
from hamkit.fetch.names import source_name
from hamkit.files import project_root
from hamkit.rpmhistory import Compressor, FileDigest

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._{}-]*$")]
Line = Annotated[str, StringConstraints(pattern=r"^\S.*$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9._-]+$")]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/{}+-]+$")]
Url = Annotated[str, StringConstraints(pattern=r"^(https?|ftp|file)://[^\s'\"|]+$")]
SourceUrl = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]+://\S+$")]
Convention = Literal["headers", "kernel-source", "kmod", "kmp", "akmod", "dkms"]
DIALECTS = "dialects"
VERSION = r"^\d+(\.\d+)+$"
NEWEST = "999.0"  # what to take a wrong version for, so that it is the one mistake reported


def _listed(given: object) -> object:
    """One URL is a list of one."""
    return (given,) if isinstance(given, str) else given


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Distribution(_Facts):
    """Who the distribution is. ``line`` says which of the two kernel lines it ships."""

    name: Word
    title: str
    family: Literal["debian", "redhat", "suse"]
    line: Literal["2.4", "mainline"]
    end_of_life: datetime.date

    @computed_field  # type: ignore[prop-decorator]
    @property
    def state(self) -> Literal["supported", "end of life"]:
        """Today's, by the calendar."""
        return "end of life" if self.end_of_life < datetime.datetime.now(datetime.UTC).date() else "supported"


class Image(_Facts):
    """Where its build image comes from, first that can be had.

    A ``reference`` to pull, a ``suite`` to bootstrap from Debian's packages, or the base of another
    distribution (``style_base``) whose rpm is set up as this one's, with ``style_packages`` on it.
    ``frozen`` accepts a package index past its date: a suite after its end of life, a snapshot.
    ``mirror`` replaces the package sources that come with the image.
    """

    reference: Reference | None = None
    suite: Word | None = None
    style_base: Word | None = None
    frozen: bool = False
    mirror: tuple[Url, ...] = ()
    packages: tuple[Word, ...] = Field(min_length=1)
    style_packages: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.:-]*$")], ...] = ()

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if not (self.reference or self.suite or self.style_base):
            raise ValueError("one of reference, suite and style_base is needed")
        if bool(self.style_base) != bool(self.style_packages):
            raise ValueError("style_base and style_packages go together")
        return self


class Variant(_Facts):
    """One of the kernels that a 2.4 distribution builds of its source: ``suffix`` ends its release,
    ``macro`` is what rhconfig.h asks for, ``processors`` are rpm's names of those it is built for."""

    suffix: Annotated[str, StringConstraints(pattern=r"^[a-z]*$")]
    macro: Annotated[str, StringConstraints(pattern=r"^__BOOT_KERNEL_[A-Z]+$")]
    smp: bool
    highmem: Literal["none", "4G", "64G"]
    processors: tuple[Word, ...] = Field(min_length=1)


class Kernel(_Facts):
    """How its kernels are packaged. ``{flavour}`` and ``{release}`` are filled in by the build.

    ``conventions``: how modules are packaged for it, each a part of the spec's template. ``release``
    is the kernel that the distribution came with (empty: the newest of its packages is taken).
    ``source`` is where the source of a 2.4 kernel is: a URL, or mirrors of one file.
    ``stand_in``: the distribution whose kernel is at ``build_tree``, on request, where its own cannot be had.
    """

    conventions: tuple[Convention, ...] = Field(min_length=1)
    release: Annotated[str, StringConstraints(pattern=r"^(\d[A-Za-z0-9._-]*)?$")] = ""
    flavours: tuple[Word, ...] = Field(min_length=1)
    headers_package: Word
    image_packages: tuple[Word, ...] = Field(min_length=1)
    image_path: str
    build_tree: AbsolutePath
    stand_in: Word | None = None
    variants: Mapping[str, Variant] = Field(default_factory=dict)
    source: Annotated[tuple[SourceUrl, ...], BeforeValidator(_listed)] = ()

    @field_validator("source")
    @classmethod
    def _source_is_one_file(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if urls:
            source_name(urls)
        return urls

    @property
    def default_flavour(self) -> str:
        return self.flavours[0]

    @model_validator(mode="after")
    def _variants_are_flavours(self) -> Self:
        wanted = set(self.flavours) if "kernel-source" in self.conventions else set()
        if set(self.variants) != wanted:
            raise ValueError(
                f"variants are for {', '.join(self.variants) or 'none'}, "
                f"flavours of kernel-source are {', '.join(sorted(wanted)) or 'none'}"
            )
        return self


class Compiler(_Facts):
    """What the distribution's kernel was compiled with.

    ``toolchain`` is a folder below ``toolchains/`` in the cache that does as well; ``eol_image`` with
    ``eol_packages`` an image past its end of life that has such a compiler. Both are for 2.4 kernels.
    """

    command: Word = "gcc"
    version: Word
    packages: tuple[Word, ...] = ("gcc",)
    toolchain: Word | None = None
    eol_image: Reference | None = None
    eol_packages: tuple[Word, ...] = ()


class Rpm(_Facts):
    """What its rpm understands, and what the source RPM made for it must use.

    ``file_digest`` and ``source_payload`` are rpm's names (``w9.gzdio``: gzip, level 9). Features,
    compressors and digests follow from the version unless they are stated. ``fips``: its machines may
    run in FIPS mode, where MD5 and SHA-1 digests of files are refused. ``macros`` are set in an image
    that is made in the distribution's style. ``programs`` name real rpms below ``toolchains/`` in the
    cache: this version, or the nearest before and after it.
    """

    version: Annotated[str, StringConstraints(pattern=VERSION)]
    programs: tuple[Word, ...] = ()
    spec_dialect: Word
    release_suffix: Annotated[str, StringConstraints(pattern=r"^(\.[a-z0-9]+)*$")]
    source_payload: Annotated[
        str, StringConstraints(pattern=r"^w\d*\.(ufdio|gzdio|bzdio|xzdio|lzdio|zstdio)$")
    ]
    file_digest: FileDigest
    topdir: AbsolutePath = "/job/rpm"
    target: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+-[a-z]+-linux$")] | None = None
    fips: bool = False
    payload_compressors: tuple[Compressor, ...] = Field(min_length=1)
    file_digests: tuple[FileDigest, ...] = Field(min_length=1)
    rpmlib: tuple[Word, ...]
    macros: Mapping[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{2,}$")], Line] = Field(
        default_factory=dict
    )

    @model_validator(mode="before")
    @classmethod
    def _what_the_version_tells(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        text = str(given.get("version"))
        version = rpmhistory.version_tuple(text if re.fullmatch(VERSION, text) else NEWEST)
        told = {
            "payload_compressors": rpmhistory.compressors(version),
            "file_digests": rpmhistory.digests(version),
            "rpmlib": rpmhistory.features(version),
        }
        return told | given

    @model_validator(mode="after")
    def _digest_is_known(self) -> Self:
        if self.file_digest not in self.file_digests:
            raise ValueError(f"file_digest {self.file_digest!r} is not among file_digests")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def spec_constructs(self) -> tuple[str, ...]:
        """Tags and constructs of spec files, of those that not every rpm has, that this one parses."""
        return rpmhistory.constructs(self.version_tuple)

    @property
    def version_tuple(self) -> tuple[int, ...]:
        return rpmhistory.version_tuple(self.version)


class Dialect(_Facts):
    """How spec files are written for a family of distributions: ``specs/dialects/NAME.toml``.

    An empty ``group`` is not written; ``release`` is the Release tag, with ``{suffix}`` for
    ``rpm.release_suffix``; ``boot`` is who loads HAM at boot; ``buildroot`` and ``cflags``
    are how the two are spelled.
    """

    license: Line
    group: Annotated[str, StringConstraints(pattern=r"^(\S.*)?$")]
    development_group: Annotated[str, StringConstraints(pattern=r"^(\S.*)?$")]
    build_root: bool
    clean: bool
    defattr: bool
    license_tag: bool
    boot: Literal["sysv", "systemd"]
    release: Line
    architectures: tuple[Word, ...] = Field(min_length=1)
    buildroot: Literal["$RPM_BUILD_ROOT", "%{buildroot}"]
    cflags: Literal["$RPM_OPT_FLAGS", "%{optflags}"]


SECTIONS: Mapping[str, type[BaseModel]] = {
    "distribution": Distribution,
    "image": Image,
    "kernel": Kernel,
    "compiler": Compiler,
    "rpm": Rpm,
}


class Spec(_Facts):
    """One distribution, whole. ``unverified`` names fields (``kernel.release``) that nobody held against
    the distribution itself."""

    unverified: tuple[str, ...] = ()
    distribution: Distribution
    image: Image
    kernel: Kernel
    compiler: Compiler
    rpm: Rpm
    dialect: Dialect

    @property
    def name(self) -> str:
        return self.distribution.name

    @property
    def fields(self) -> dict[str, Any]:
        """Every fact by its name in the file, ``rpm.version``."""
        dumped = self.model_dump(mode="json", exclude={"unverified"})
        return {f"{part}.{key}": value for part, facts in dumped.items() for key, value in facts.items()}

    @model_validator(mode="after")
    def _source_is_of_a_patched_line(self) -> Self:
        if self.kernel.source and self.distribution.line != "2.4":
            raise ValueError('kernel.source is for distribution.line = "2.4": other kernels come as packages')
        return self

    @field_validator("unverified")
    @classmethod
    def _unverified_are_fields(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = {f"{part}.{key}" for part, facts in SECTIONS.items() for key in facts.model_fields}
        wrong = [name for name in names if name not in known]
        if wrong:
            raise ValueError(f"no such field: {', '.join(wrong)}")
        return names


Model = TypeVar("Model", bound=BaseModel)


def specs_folder() -> Path:
    return project_root() / "specs"


def load_all(folder: Path | None = None) -> dict[str, Spec]:
    """Every distribution by name, in natural order (debian-9 before debian-12).

    Raises UserError listing every mistake of every file.
    """
    found: dict[str, Spec] = {}
    mistakes: list[str] = []
    top = folder or specs_folder()
    dialects = _dialects(top / DIALECTS, mistakes)
    for path in sorted(top.glob("*.toml"), key=_natural):
        spec, wrong = _read(path, dialects)
        mistakes += wrong
        if spec is not None:
            found[spec.name] = spec
    if mistakes := mistakes or [wrong for spec in found.values() for wrong in _bases(spec, found)]:
        raise UserError("\n".join(mistakes), "mend the named fields")
    return found


def _bases(spec: Spec, known: Mapping[str, Spec]) -> Iterator[str]:
    bootable = {name for name, other in known.items() if other.image.suite is not None}
    named = {"image.style_base": spec.image.style_base, "kernel.stand_in": spec.kernel.stand_in}
    for field, name in named.items():
        if name and name not in bootable:
            yield f"{spec.name}.toml: {field}: {name!r} is no distribution with a suite to bootstrap"


def load(name: str, folder: Path | None = None) -> Spec:
    """One distribution. Raises UserError naming those that exist."""
    known = load_all(folder)
    if name not in known:
        raise UserError(f"no distribution is called {name!r}", f"one of: {', '.join(known)}")
    return known[name]


def with_mirror(spec: Spec, urls: Sequence[str]) -> Spec:
    """The distribution with other package sources; unchanged without one. Raises UserError on a bad one."""
    if not urls:
        return spec
    try:
        image = Image.model_validate(spec.image.model_dump() | {"mirror": tuple(urls)})
    except ValidationError as bad:
        raise UserError(f"no package source: {', '.join(urls)}", "give URLs: https, http, ftp, file") from bad
    return spec.model_copy(update={"image": image})


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(t), "") if t.isdigit() else (0, t) for t in re.split(r"(\d+)", path.stem)]


def _dialects(folder: Path, mistakes: list[str]) -> dict[str, dict[str, Any] | None]:
    """The dialects by name; one with mistakes is None, so that it is not reported as missing too."""
    found: dict[str, dict[str, Any] | None] = {}
    for path in sorted(folder.glob("*.toml")):
        data, wrong = _parse(path)
        _, misses = (
            _validated(Dialect, data, f"{DIALECTS}/{path.name}") if data is not None else (None, wrong)
        )
        mistakes += misses
        found[path.stem] = None if misses else data
    return found


def _read(path: Path, dialects: Mapping[str, dict[str, Any] | None]) -> tuple[Spec | None, list[str]]:
    data, wrong = _parse(path)
    if data is None:
        return None, wrong
    if "dialect" in data:
        return None, [f"{path.name}: dialect: name one in rpm.spec_dialect"]
    rpm = data.get("rpm")
    name = rpm.get("spec_dialect") if isinstance(rpm, dict) else None
    dialect = dialects.get(str(name))
    known = dialect or next((d for d in dialects.values() if d), None)
    if isinstance(name, str) and name not in dialects:
        wrong.append(f"{path.name}: rpm.spec_dialect: {name!r} is not one of {', '.join(dialects)}")
    if known is not None:  # any dialect will do to find the other mistakes
        data["dialect"] = known
    spec, more = _validated(Spec, data, path.name)
    wrong += more
    if spec is not None and spec.name != path.stem:
        wrong.append(f"{path.name}: distribution.name: {spec.name!r} is not the name of the file")
    return (None if wrong or dialect is None else spec), wrong


def _parse(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as bad:
        return None, [f"{path.name}: not readable as TOML: {bad}"]


def _validated(model: type[Model], data: object, name: str) -> tuple[Model | None, list[str]]:
    try:
        return model.model_validate(data), []
    except ValidationError as bad:
        return None, [f"{name}: {_where(e['loc'])}: {e['msg']}" for e in bad.errors()]


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(file)"
