"""Laws of the 2.4 model that hold for any sequence of requests on any machine."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hamkit.model import expect_24
from hamkit.model.extents import GIB, MIB, PAGE, TOP, Extent, covered, without
from hamkit.model.hotadd24 import REGIONS, Linux24, booted
from hamkit.model.i386 import Highmem, Kernel
from hamkit.model.ranges import Ham
from hamkit.model.scenario import Attribute, Errno, Line, Machine, Scenario

BLOCK = 2 * MIB
START = st.integers(0, 1 << 12).map(lambda n: n * BLOCK) | st.integers(0, TOP - 1)
SIZE = st.integers(0, 300).map(lambda n: n * BLOCK) | st.integers(0, TOP)
STRUCT_PAGES = st.sampled_from([48, 56, 64, 68])
HIGHMEM = st.sampled_from([Highmem.G4, Highmem.G64])


def ham(memory: int, boot: int, low: int | None, kernel: Kernel) -> Ham[Linux24]:
    scenario = Scenario("x", Machine(memory, boot, 1, low), (), "", (Line.LINUX24,), kernel)
    return Ham(booted(kernel, expect_24.default_facts(scenario), scenario.limit))


class Requests(RuleBasedStateMachine):
    """Any requests, good and bad, on any machine."""

    @initialize(
        memory=st.integers(64, 8192),
        boot=st.integers(16, 1024),
        low=st.none() | st.integers(32, 3072),
        size=STRUCT_PAGES,
        highmem=HIGHMEM,
        reserve=st.sampled_from([0, 8, 64, 128, 512]),
    )
    def boot(
        self, memory: int, boot: int, low: int | None, size: int, highmem: Highmem, reserve: int
    ) -> None:
        kernel = Kernel(highmem, reserve, struct_page=size, wait_queue=12 if size == 48 else 0)
        self.ham = ham(memory * MIB, min(boot, memory) * MIB, low and low * MIB, kernel)
        self.first = self.ham.vm

    @rule(start=START, size=SIZE, attr=st.sampled_from(Attribute))
    def add(self, start: int, size: int, attr: Attribute) -> None:
        before = self.ham
        self.ham, result = before.add(start, size, attr)
        vm, old = self.ham.vm, before.vm
        assert all(
            n >= o for n, o in zip(vars(vm.counters).values(), vars(old.counters).values(), strict=True)
        )
        assert covered_by(old, vm)
        assert (vm == old) or result is Errno.OK
        if result is Errno.OK:
            assert self.ham.add(start, size, attr) == (self.ham, Errno.OK)  # known from now on

    @rule()
    def retry(self) -> None:
        after, results = self.ham.retry()
        assert all(r is not Errno.OK for _, r in results) or after.vm != self.ham.vm
        self.ham = after

    @invariant()
    def zones_are_all_there_is(self) -> None:
        vm = self.ham.vm
        assert sum(z.spanned for _, z in vm.zones) == vm.counters.num_physpages
        assert vm.counters.numnodes == len(vm.nodes) == 1 + len(vm.regions)
        assert len(vm.regions) <= REGIONS

    @invariant()
    def pages_are_kept(self) -> None:
        """What a region spans is present or metadata; what the totals grew by is present."""
        vm = self.ham.vm
        for region in vm.regions:
            assert region.zone.holes == 0
            assert region.zone.present > 0 < region.zone.metadata or region.zone.metadata == 0
        grown = vm.counters.totalram_pages - self.first.counters.totalram_pages
        assert grown == sum(r.zone.present for r in vm.regions)
        assert grown == vm.counters.totalhigh_pages - self.first.counters.totalhigh_pages

    @invariant()
    def lowmem_never_changes(self) -> None:
        assert dict(self.ham.vm.meminfo)["LowTotal"] == dict(self.first.meminfo)["LowTotal"]

    @invariant()
    def the_list_and_the_regions_agree(self) -> None:
        enabled = [r.extent for r in self.ham.ranges if not r.failed]
        assert sorted(enabled) == sorted(r.extent for r in self.ham.vm.regions)
        ends = [(r.extent.start, r.extent.end) for r in self.ham.ranges]
        assert all(a[1] <= b[0] for a, b in pairwise(ends))

    @invariant()
    def the_highest_page_ends_something(self) -> None:
        vm = self.ham.vm
        ends = {self.first.booted.max_pfn, *(r.zone.end for r in vm.regions)}
        assert vm.counters.highend_pfn == vm.counters.max_mapnr == max(ends)


def covered_by(old: Linux24, new: Linux24) -> bool:
    return all(covered(e, new.known) for e in old.known)


Requests.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestRequests = Requests.TestCase


@given(st.permutations(range(6)), STRUCT_PAGES)
@settings(max_examples=30, deadline=None)
def test_disjoint_adds_end_the_same_in_any_order(order: list[int], size: int) -> None:
    """All but the order of nodes, and who of two neighbours pays for a page that both need."""
    places = [(512 * MIB + n * 64 * MIB, (n + 1) * BLOCK) for n in range(5)] + [(4 * GIB, 64 * MIB)]
    kernel = Kernel(struct_page=size)
    ends = []
    for numbers in (range(6), order):
        state = ham(2 * GIB, 128 * MIB, GIB, kernel)
        for number in numbers:
            state, result = state.add(*places[number])
            assert result is Errno.OK
        ends.append(state)
    one, other = ends
    assert one.vm.counters == other.vm.counters
    assert one.status() == other.status()
    assert one.vm.system_ram == other.vm.system_ram
    assert sorted(n[1:] for n in one.vm.nodes) == sorted(n[1:] for n in other.vm.nodes)


@given(st.integers(1, 40), st.integers(1, 40), STRUCT_PAGES)
@settings(max_examples=40, deadline=None)
def test_metadata_grows_with_the_region_and_holds_every_struct_page(first: int, more: int, size: int) -> None:
    vm = ham(2 * GIB, 128 * MIB, GIB, Kernel(struct_page=size)).vm
    costs = [vm.with_memory(blocks(512 * MIB, n)).regions[0].zone.metadata for n in (first, first + more)]
    assert costs[0] <= costs[1]
    assert costs[0] * PAGE >= first * BLOCK // PAGE * size


def blocks(start: int, count: int) -> Extent:
    return Extent(start, start + count * BLOCK)


def test_what_is_missing_is_all_that_is_added() -> None:
    state = ham(2 * GIB, 128 * MIB, GIB, Kernel())
    state, _ = state.add(256 * MIB, 64 * MIB)
    before = state.vm.known
    whole = blocks(64 * MIB, 200)
    state, result = state.add(whole.start, whole.size)
    assert result is Errno.OK
    assert [r.extent for r in state.vm.regions[1:]] == list(without(whole, before))
