"""A scenario carried through: what ``invoke model`` shows."""

from __future__ import annotations

import json

from hamkit import scenarios
from hamkit.model.expect_mainline import carry_through, default_facts
from hamkit.model.expectation import ROW_TITLES, expectation, rows
from hamkit.model.extents import MIB, TOP
from hamkit.model.mainline import BootFacts, Policy
from hamkit.model.outcomes import request_text
from hamkit.model.qemu import firmware_map
from hamkit.model.scenario import AddStep, Attribute, Errno, Machine, RetryStep, Scenario, UseStep

MACHINE = Machine(2304 * MIB, 512 * MIB)


def test_default_scenario_is_what_the_model_expects() -> None:
    scenario = scenarios.load()
    outcomes = carry_through(scenario, default_facts(scenario))
    assert [o.result for o in outcomes[1:]] == [s.expect for s in scenario.steps]
    changes = [step["mem_total_change_kib"] >> 10 for step in expectation(scenario)["steps"]]
    assert changes == [0, 128, 256, 128, 0, 256, 0, 0, 0, 0]
    assert outcomes[-1].ham.status() == (
        "0000000008000000-000000000fffffff  rw ENABLED",
        "0000000010000000-000000001fffffff  rw ENABLED",
        "0000000020000000-000000002fffffff  rw ENABLED",
        "0000000030000000-0000000037ffffff  rw ENABLED",
        "0000000080000000-000000008fffffff  rw FAILED",
        "0000001000000000-0000001007ffffff  rw FAILED",
    )
    assert max(s.size for s in scenario.steps if isinstance(s, UseStep)) > scenario.machine.boot_memory


def test_expectation_is_json_and_names_every_step() -> None:
    scenario = scenarios.load()
    shown = expectation(scenario)
    assert json.loads(json.dumps(shown)) == shown
    assert [step["step"] for step in shown["steps"]] == list(range(len(scenario.steps) + 1))
    assert shown["measured"] is False
    assert shown["steps"][6]["refusals"] == [
        {"range": "0000000061000000-0000000068ffffff", "result": "EINVAL"}
    ]
    assert shown["steps"][1]["vmemmap_kib"] == 2048


def test_rows_are_a_table() -> None:
    scenario = Scenario("x", MACHINE, (AddStep(512 * MIB, 128 * MIB, expect=Errno.EINVAL), UseStep(5)))
    table = rows(scenario)
    assert all(len(row) == len(ROW_TITLES) for row in table)
    assert table[1][:3] == ("1 add 0x20000000 + 128M", "ok (scenario: EINVAL)", "654968 (+131072)")
    assert table[1][4] == "0000000020000000-0000000027ffffff  rw ENABLED"
    assert table[2] == ("2 use 5", "ok", "654968", "DMA 3998, DMA32 126976, Normal 32768", "")


def test_counts_of_a_boot_are_used() -> None:
    facts = BootFacts(firmware_map(2304 * MIB), (("DMA", 3840), ("DMA32", 112794)), policy=Policy.ONLINE)
    shown = expectation(Scenario("x", MACHINE), facts=facts)
    assert shown["measured"] is True
    assert shown["steps"][0]["mem_total_kib"] == 466536


def test_the_guest_onlines_after_adds_and_retries() -> None:
    """A retry that succeeds in part has its blocks online, as after an add that succeeds."""
    reach = AddStep(0x70000000, 0x20000000)
    steps = (reach, AddStep(0x88000000, 128 * MIB), RetryStep(), AddStep(512 * MIB, 128 * MIB))
    scenario = Scenario("x", MACHINE, steps)
    outcomes = carry_through(scenario, default_facts(scenario))
    assert [o.result for o in outcomes] == [Errno.OK, Errno.EEXIST, Errno.EEXIST, Errno.EEXIST, Errno.OK]
    assert [line.split(" ")[-1] for line in outcomes[3].ham.status()] == ["ENABLED", "FAILED"]
    assert [line.split(" ")[-1] for line in outcomes[4].ham.status()] == ["ENABLED", "ENABLED", "FAILED"]
    assert outcomes[3].refusals == (("0000000088000000-000000008fffffff", Errno.EEXIST),)


def test_a_retry_ends_with_the_first_refusal() -> None:
    steps = (AddStep(0x80000000, 256 * MIB), AddStep(0x70000000, 128 * MIB, Attribute.RO), RetryStep())
    scenario = Scenario("x", MACHINE, steps)
    last = carry_through(scenario, default_facts(scenario))[-1]
    assert last.result is Errno.EROFS
    assert [result for _, result in last.refusals] == [Errno.EROFS, Errno.EEXIST]


def test_degenerate_requests_are_named_by_their_first_address() -> None:
    assert request_text(AddStep(0x1000, 0)) == "0000000000001000-0000000000001000"
    assert request_text(AddStep(TOP - 1, 2)) == "ffffffffffffffff-ffffffffffffffff"
    assert request_text(AddStep(0x1000, 0x1000)) == "0000000000001000-0000000000001fff"


def test_labels() -> None:
    assert AddStep(0, 4097, Attribute.RO).label == "add 0x0 + 4097 ro"
    assert UseStep(640 * MIB).label == "use 640M"
    assert RetryStep().label == "retry"
