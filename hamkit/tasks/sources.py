"""Which kernel source a task is about, and how a distribution would build a kernel of it."""

from hamkit import specs
from hamkit.build.kernel24.toolchain import known_toolchains
from hamkit.errors import UserError
from hamkit.render.kernelpatch import check_line
from hamkit.tasks.common import given


def spec_of(distro: str) -> specs.Spec:
    return specs.load(given("distro", distro, "debian-12"))


def either_of(distro: str, tree: str) -> None:
    """Raises UserError unless one of both is given."""
    if distro and tree:
        raise UserError("--distro and --tree are both given", "a 2.4 tree is proved by itself: leave one out")
    if not tree:
        given("distro", distro, "debian-12, or --tree linux-2.4.13")


def asked_tree(distro: str, tree: str) -> str:
    """The tree that a task is about: ``--tree``, or the kernel source of a distribution with Linux 2.4; empty
    for any other distribution. Raises UserError."""
    either_of(distro, tree)
    spec = None if tree else spec_of(distro)
    return tree if spec is None or spec.distribution.line != "2.4" else source_of(spec)


def patched_tree(distro: str, tree: str) -> str:
    """The same for a task that is about nothing but Linux 2.4."""
    if not distro:
        return given("tree", tree, "linux-2.4.13")
    either_of(distro, tree)
    spec = spec_of(distro)
    check_line(spec)
    return source_of(spec)


def source_of(spec: specs.Spec) -> str:
    """Where the distribution's kernel source is. Raises UserError where its spec does not say."""
    if not spec.kernel.source:
        raise UserError(
            f"--tree is not given, and specs/{spec.name}.toml names no kernel source",
            "give --tree (a folder, a file, a URL), or name its URL there: source, below [kernel]",
        )
    return " ".join(spec.kernel.source)


def own_kernel(distro: str, flavour: str, highmem: str) -> tuple[str, str]:
    """Flavour and high memory of a kernel of the distribution's own source: its names of flavours
    (``enterprise``) stand for one or more processors and for high memory."""
    spec = spec_of(distro)
    variant = spec.kernel.variants.get(flavour or spec.kernel.default_flavour)
    if variant is None:
        return flavour, highmem
    wanted = "" if variant.highmem == "none" else variant.highmem
    return "smp" if variant.smp else "up", highmem or wanted


def compiler_of(distro: str, toolchain: str) -> str:
    """The toolchain as given, else the one that the distribution's facts name, where the cache has it."""
    name = spec_of(distro).compiler.toolchain if distro and not toolchain else None
    return name if name and name in known_toolchains() else toolchain
