"""Laws of the model that hold for any sequence of requests."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hamkit.model import qemu
from hamkit.model.extents import GIB, MIB, PAGE, covered, merged
from hamkit.model.mainline import BootFacts, Mainline, Policy, boot
from hamkit.model.ranges import Ham
from hamkit.model.scenario import Attribute, Errno

BLOCK = 128 * MIB
MEMORY = st.integers(3, 48).map(lambda n: n * BLOCK)
BOOT = st.integers(MIB // 512, 6 * GIB // 512).map(lambda n: n * 512)
START = st.integers(0, 72).map(lambda n: n * BLOCK) | st.integers(0, (1 << 64) - 1)
SIZE = st.integers(0, 40).map(lambda n: n * BLOCK) | st.integers(0, 1 << 64)


def booted(memory: int, boot_memory: int, policy: Policy, board: str = "q35") -> Ham[Mainline]:
    facts = BootFacts(qemu.firmware_map(memory, board), (), qemu.resources(memory, board), policy=policy)
    return Ham(boot(facts, boot_memory))


def total(ham: Ham[Mainline], what: str) -> int:
    return sum(int(getattr(z, what)) for z in ham.vm.zones)


class Requests(RuleBasedStateMachine):
    """Any requests, good and bad, on any machine."""

    @initialize(
        memory=MEMORY, part=BOOT, policy=st.sampled_from(Policy), board=st.sampled_from(sorted(qemu.BOARDS))
    )
    def machine(self, memory: int, part: int, policy: Policy, board: str) -> None:
        self.ham = booted(memory, part, policy, board)
        self.at_boot = self.ham
        self.memory = memory

    @rule(start=START, size=SIZE, attr=st.sampled_from(Attribute))
    def add(self, start: int, size: int, attr: Attribute) -> None:
        before = self.ham
        self.ham, result = before.add(start, size, attr)
        if result is Errno.OK:
            again, second = self.ham.add(start, size, attr)
            assert (again, second) == (self.ham, Errno.OK)  # idempotent
        else:
            assert self.ham.vm == before.vm  # nothing half-added
            assert self.ham.add(start, size, attr) == (self.ham, result)
        self.grew(before)

    @rule()
    def retry(self) -> None:
        before = self.ham
        self.ham, _ = before.retry()
        self.grew(before)

    @rule()
    def online(self) -> None:
        before = self.ham
        self.ham = replace(self.ham, vm=self.ham.vm.online())
        assert all(online for _, online in self.ham.vm.blocks)
        self.grew(before)

    def grew(self, before: Ham[Mainline]) -> None:
        for old, new in zip(before.vm.zones, self.ham.vm.zones, strict=True):
            assert new.spanned >= old.spanned
            assert new.present >= old.present
            assert new.managed >= old.managed
        assert set(before.vm.blocks) - set(self.ham.vm.blocks) <= {
            (n, False) for n, online in self.ham.vm.blocks if online
        }
        assert self.ham.vm.mem_total_kib >= before.vm.mem_total_kib
        assert covered_all(before, self.ham)

    @invariant()
    def conserved(self) -> None:
        """Present is what was there at boot and what came online, managed likewise."""
        new = [n for n in self.ham.vm.blocks if n[0] not in dict(self.at_boot.vm.blocks)]
        pages = sum(online for _, online in new) * (BLOCK // PAGE)
        for what in ("present", "managed"):
            assert total(self.ham, what) == total(self.at_boot, what) + pages
        assert self.ham.vm.added_pages == len(new) * (BLOCK // PAGE)
        assert self.ham.vm.mem_total_kib == total(self.ham, "managed") * 4

    @invariant()
    def zones_are_sound(self) -> None:
        for zone in self.ham.vm.zones:
            assert zone.managed <= zone.present <= zone.spanned

    @invariant()
    def status_is_sorted_and_disjoint(self) -> None:
        extents = [r.extent for r in self.ham.ranges]
        assert all(a.end <= b.start for a, b in pairwise(extents))
        assert len(self.ham.status()) == len(extents)
        words = {line.split(" ")[-1] for line in self.ham.status()}
        assert words <= {"PRESENT", "ENABLED", "FAILED"}

    @invariant()
    def listed_is_known_or_failed(self) -> None:
        for entry in self.ham.ranges:
            known = [e for e in self.ham.vm.known if e.overlaps(entry.extent)]
            assert covered(entry.extent, known) != entry.failed
            assert not (entry.failed and known)

    @invariant()
    def no_more_than_the_machine_has(self) -> None:
        assert sum(e.size for e in self.ham.vm.known) <= self.memory


def covered_all(before: Ham[Mainline], after: Ham[Mainline]) -> bool:
    return all(covered(e, after.vm.known) for e in before.vm.known)


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), policy=st.sampled_from(Policy), memory=st.sampled_from([2304 * MIB, 5 * GIB]))
def test_disjoint_adds_end_the_same_in_any_order(data: st.DataObject, policy: Policy, memory: int) -> None:
    start = booted(memory, 512 * MIB, policy)
    cuts = sorted(data.draw(st.sets(st.integers(4, 64), min_size=2, max_size=12)))
    wanted = [(a * BLOCK, (b - a) * BLOCK) for a, b in pairwise(cuts)]
    ends = []
    for order in (wanted, data.draw(st.permutations(wanted))):
        state = start
        for first, size in order:
            state, _ = state.add(first, size)
        ends.append(replace(state, vm=state.vm.online()))
    assert ends[0] == ends[1]


@settings(max_examples=60, deadline=None)
@given(blocks=st.sets(st.integers(4, 13), min_size=1))
def test_one_request_gives_what_its_blocks_give(blocks: set[int]) -> None:
    start = booted(2304 * MIB, 512 * MIB, Policy.ONLINE)
    single = start
    for number in sorted(blocks):
        single, result = single.add(number * BLOCK, BLOCK)
        assert result is Errno.OK
    filled, _ = single.add(4 * BLOCK, 10 * BLOCK)
    whole, _ = start.add(4 * BLOCK, 10 * BLOCK)
    assert filled.vm.zones == whole.vm.zones
    assert filled.vm.blocks == whole.vm.blocks
    assert merged(filled.vm.system_ram) == merged(whole.vm.system_ram)
