"""What a 2.4 kernel says of its memory at boot, and how the model's kernel follows from a tree's facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hamkit.errors import Failure
from hamkit.kernel.facts import KernelFacts
from hamkit.kernel.probing import Value
from hamkit.model.extents import MIB, Extent
from hamkit.model.firmware import Entry
from hamkit.model.i386 import Bitmap, BootFacts, ExtraFree, Highmem, Kernel, MemOption, Window
from hamkit.prove.report import IomemLine

RAM_NAME = "System RAM"
RANGE = re.compile(r"BIOS-e820: ([0-9a-f]{16}) - ([0-9a-f]{16}) \(?([^)]+)\)?$")
SIZED = re.compile(r"BIOS-e820: ([0-9a-f]{16}) @ ([0-9a-f]{16}) \(?([^)]+)\)?$")  # to 2.4.2: the size first
WINDOW = re.compile(r"mem_hotadd: window ([0-9a-f]{8})-([0-9a-f]{8}), memory up to (\d+)MB can be added")
MEMORY = re.compile(r"Memory: \d+k/\d+k available \(.*?(\d+)k reserved")
FREEING = re.compile(r"Freeing .+ memory: (\d+)k freed")
EITHER = re.compile(r"(.*?)([\d ]+) with (CONFIG_\w+), else ([\d ]+)(.*)")  # of a probe's value
CLASSES = 3
ZONE = re.compile(r"zone\((\d)\): (\d+) pages")


def boot_facts(console: str, iomem: Sequence[IomemLine]) -> BootFacts:
    """What the model starts from: the console's words and /proc/iomem after boot, nothing computed.

    Raises Failure when the console has no firmware map or no count of memory.
    """
    lines = console.replace("\r", "").split("\n")
    firmware, memory = tuple(_entries(lines)), _first(MEMORY, lines)
    if not firmware or memory is None:
        missing = "Memory: line" if firmware else "firmware map (BIOS-e820 lines)"
        raise Failure(f"the console log has no {missing}", "boot with the kernel's messages on the console")
    others = tuple(line.extent for line in iomem if line.depth == 0 and line.name != RAM_NAME)
    return BootFacts(
        firmware,
        _window(lines),
        int(memory[1]),
        sum(int(m[1]) for line in lines if (m := FREEING.search(line))),
        sum(int(m[2]) for line in lines if (m := ZONE.search(line)) and m[1] in "01"),
        others,
        measured=True,
    )


def model_kernel(facts: KernelFacts, layout: Mapping[str, int], highmem: str, asked: Kernel) -> Kernel:
    """The scenario's kernel (``asked``) with what is known of the tree and of the build of it."""
    values = {name: _with(value, highmem) for name, value in facts.values.items()}
    ratios = _numbers(values.get("zone_balance_ratio"), asked.ratios)
    share, least = (*_numbers(values.get("dma_zone"), ())[1:3], 0, 0)[:2]
    return replace(
        asked,
        highmem=Highmem(highmem),
        struct_page=layout.get("page", asked.struct_page),
        mem_option=MemOption(str(values.get("mem_option", asked.mem_option))),
        max_order=int(values.get("max_order", asked.max_order)),
        ratios=(ratios[0], ratios[1], ratios[2]),
        least=_numbers(values.get("zone_balance_min"), (asked.least,))[-1],
        most=_numbers(values.get("zone_balance_max"), (asked.most,))[-1],
        lower_ratios=_numbers(values.get("lower_zone_reserve_ratio"), ()),
        bitmap=_bitmap(values.get("bitmap"), asked.bitmap),
        wait_queue=layout.get("wait_queue", 0) if values.get("page_wait") == "zone" else 0,
        extra_free=_extra_free(values),
        dma_share=share,
        dma_least=least,
        per_cpu_pages=int(values.get("per_cpu_pages", 0)),
    )


def _with(value: Value, highmem: str) -> Value:
    """A value, of a kernel with this support of high memory where the tree has one for either case."""
    match = EITHER.fullmatch(str(value))
    if match is None:
        return value
    has = {"CONFIG_HIGHMEM64G": highmem == "64G", "CONFIG_X86_PAE": highmem == "64G"}
    before, first, option, second, after = match.groups()
    return before + (first if has.get(option, highmem != "none") else second) + after


def _extra_free(values: Mapping[str, Value]) -> ExtraFree | None:
    names = ("zone_extrafree_ratio", "zone_extrafree_max", "zone_balance_min", "zone_balance_max")
    tables = [_numbers(values.get(name), ()) for name in names]
    if any(len(table) != CLASSES for table in tables):
        return None
    ratios, limits, least, most = ((t[0], t[1], t[2]) for t in tables)
    return ExtraFree(ratios, limits, least, most)


def _bitmap(word: object, otherwise: Bitmap) -> Bitmap:
    return Bitmap(str(word)) if word in tuple(Bitmap) else otherwise


def _numbers(words: object, otherwise: tuple[int, ...]) -> tuple[int, ...]:
    found = tuple(int(word) for word in re.findall(r"\d+", str(words)))
    return found if len(found) >= len(otherwise) else otherwise


def _entries(lines: Sequence[str]) -> Iterator[Entry]:
    """Each entry once: a kernel that changes the map prints it again under another name."""
    for line in lines:
        if match := RANGE.search(line):
            yield Entry(Extent(int(match[1], 16), int(match[2], 16)), match[3])
        elif match := SIZED.search(line):
            start = int(match[2], 16)
            yield Entry(Extent(start, start + int(match[1], 16)), match[3])


def _window(lines: Sequence[str]) -> Window | None:
    match = _first(WINDOW, lines)
    if match is None:
        return None
    return Window(Extent(int(match[1], 16), int(match[2], 16) + 1), int(match[3]) * MIB)


def _first(pattern: re.Pattern[str], lines: Sequence[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.search(line))), None)
