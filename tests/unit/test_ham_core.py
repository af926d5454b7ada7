"""The core of HAM on the host, under ASan and UBSan, against a plain reference of its rules."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .ham_driver import Drive, codes, is_status, shorten, status
from .ham_reference import BLOCK, MAX_RANGES, RO, RW, UNIVERSE, Command, Reference, obey

ARENA = 24 * BLOCK

# --- Random sequences against the reference ----------------------------------------------------


@st.composite
def spans(draw: st.DrawFn, step: int = BLOCK) -> tuple[int, int]:
    start = draw(st.integers(0, ARENA // step - 1))
    return start * step, draw(st.integers(start + 1, min(start + 8, ARENA // step))) * step


def on_span(name: str, step: int = BLOCK) -> st.SearchStrategy[Command]:
    return spans(step).map(lambda s: (name, *s))


def adds(step: int = BLOCK) -> st.SearchStrategy[Command]:
    attributes = st.sampled_from([RW, RW, RW, RW, RO])
    return st.tuples(spans(step), attributes).map(lambda x: ("add", x[0][0], x[0][1] - x[0][0], x[1]))


MACHINES: st.SearchStrategy[list[Command]] = st.lists(
    st.one_of(on_span("boot"), on_span("boot", 4), on_span("hole"), on_span("reserved")), max_size=5
)
OPERATIONS: st.SearchStrategy[list[Command]] = st.lists(
    st.one_of(
        adds(),
        adds(),
        adds(),
        adds(8),
        st.just(("retry",)),
        st.just(("count",)),
        on_span("online"),
        on_span("offline"),
        on_span("boot"),
        st.sampled_from([("auto", 0), ("auto", 1)]),
        st.tuples(st.just("fail"), st.integers(1, 3), st.sampled_from([errno.ENOMEM, errno.EBUSY])),
        st.sampled_from([("failundo", 0), ("failundo", errno.EBUSY)]),
    ),
    min_size=1,
    max_size=25,
)


def interleaved(operations: list[Command]) -> Iterator[Command]:
    for operation in operations:
        yield operation
        yield ("status",)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(machine=MACHINES, operations=OPERATIONS)
@example(
    machine=[("boot", 32, 48)],
    operations=[("fail", 2, errno.ENOMEM), ("failundo", errno.EBUSY), ("add", 0, 80, RW), ("retry",)],
)
@example(machine=[], operations=[("fail", 1, errno.ENOMEM), ("add", 0, 80, RW), ("add", 32, 16, RW)])
def test_core_follows_the_reference(drive: Drive, machine: list[Command], operations: list[Command]) -> None:
    commands = [*machine, *interleaved(operations)]
    reference = Reference()
    expected = [line for command in commands for line in obey(reference, command)]
    lines = [line for line in drive(commands) if not line.startswith(("refused ", "not undone "))]
    shown = [shorten(line) if is_status(line) else line for line in lines]
    assert shown == expected


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(machine=MACHINES, operations=OPERATIONS)
@example(machine=[("boot", 32, 48), ("hole", 64, 80)], operations=[("add", 0, 80, RW), ("retry",)])
@example(machine=[("reserved", 32, 48), ("boot", 32, 48)], operations=[("add", 0, 80, RW), ("count",)])
def test_core_follows_the_reference_where_the_vm_takes_requests_whole(
    drive: Drive, machine: list[Command], operations: list[Command]
) -> None:
    commands = [("whole", 1), *machine, *interleaved(operations)]
    reference = Reference()
    expected = [line for command in commands for line in obey(reference, command)]
    lines = [line for line in drive(commands) if not line.startswith("refused ")]
    assert [shorten(line) if is_status(line) else line for line in lines] == expected


# --- Rules one by one --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "size", "attr", "error"),
    [
        (0, 0, RW, errno.EINVAL),
        ((1 << 64) - 16, 16, RW, errno.EINVAL),
        ((1 << 64) - 16, 32, RW, errno.EINVAL),
        (1, (1 << 64) - 1, RW, errno.EINVAL),
        (0, 16, 2, errno.EINVAL),
        (0, 16, 0x81, errno.EINVAL),
        (8, 16, RW, errno.EINVAL),
        (0, 8, RW, errno.EINVAL),
        (UNIVERSE - 16, 32, RW, errno.E2BIG),
        (1 << 63, 1 << 62, RW, errno.E2BIG),
    ],
)
def test_argument_fault_leaves_no_entry(drive: Drive, start: int, size: int, attr: int, error: int) -> None:
    lines = drive([("add", start, size, attr), ("status",)])
    assert codes(lines) == [-error]
    assert status(lines) == []
    assert sum(line.startswith("refused ") for line in lines) == 1


def test_refusal_names_request_and_fault(drive: Drive) -> None:
    lines = drive([("boot", 0x20, 0x30), ("reserved", 0x40, 0x50), ("add", 0, 0x60, RW)])
    assert lines == ["refused 0 5f 30 5f 17", "rc -17"]


def test_refusal_of_nonsense_names_its_start(drive: Drive) -> None:
    assert drive([("add", 0x30, 0, RW)]) == ["refused 30 30 30 30 22", "rc -22"]


@pytest.mark.parametrize(
    ("before", "attr", "error"),
    [
        ([("hole", 16, 32)], RW, errno.ENODEV),
        ([("reserved", 16, 32)], RW, errno.EEXIST),
        ([], RO, errno.EROFS),
        ([("fail", 1, errno.EBUSY)], RW, errno.EBUSY),
    ],
)
def test_refusal_by_the_vm_is_listed_as_failed(
    drive: Drive, before: list[Command], attr: int, error: int
) -> None:
    lines = drive([*before, ("add", 0, 64, attr), ("status",), ("count",)])
    assert codes(lines) == [-error]
    assert status(lines) == [f"0-3f {'rw' if attr else 'ro'} FAILED"]
    assert lines[-1] == "count 1 0 0 1"


def test_known_range_is_success_and_changes_nothing(drive: Drive) -> None:
    lines = drive([("boot", 0, 100), ("add", 0, 64, RW), ("add", 3, 5, RW), ("add", 16, 16, RO), ("status",)])
    assert codes(lines) == [0, 0, 0]
    assert status(lines) == []


def test_only_what_is_missing_is_added_each_piece_an_entry(drive: Drive) -> None:
    lines = drive([("boot", 16, 32), ("boot", 64, 80), ("add", 0, 112, RW), ("status",)])
    assert status(lines) == ["0-f rw PRESENT", "20-3f rw PRESENT", "50-6f rw PRESENT"]


def test_ragged_edge_of_known_memory_is_misaligned(drive: Drive) -> None:
    lines = drive([("boot", 0, 20), ("add", 0, 64, RW), ("status",)])
    assert codes(lines) == [-errno.EINVAL]
    assert status(lines) == []


def test_pieces_before_the_refused_one_are_taken_out(drive: Drive) -> None:
    lines = drive(
        [
            ("boot", 16, 32),
            ("hole", 48, 64),
            ("add", 0, 64, RW),
            ("status",),
            ("add", 0, 16, RW),
            ("status",),
        ]
    )
    assert codes(lines) == [-errno.ENODEV, 0]
    assert status(lines) == ["0-f rw PRESENT", "20-3f rw FAILED"]


def test_what_cannot_be_undone_stays_present(drive: Drive) -> None:
    lines = drive(
        [("failundo", errno.EBUSY), ("boot", 16, 32), ("hole", 32, 48), ("add", 0, 48, RW), ("status",)]
    )
    assert f"not undone 0 f {errno.EBUSY}" in lines
    assert status(lines) == ["0-f rw PRESENT", "20-2f rw FAILED"]


def test_failed_range_asked_for_again_is_listed_once(drive: Drive) -> None:
    ask: Command = ("add", 0, 64, RW)
    lines = drive([("fail", 1, errno.ENOMEM), ask, ask, ("status",)])
    assert codes(lines) == [-errno.ENOMEM, 0]
    assert status(lines) == ["0-3f rw PRESENT"]


def test_success_inside_a_failed_range_cuts_it(drive: Drive) -> None:
    lines = drive([("fail", 1, errno.ENOMEM), ("add", 0, 80, RW), ("add", 32, 16, RW), ("status",)])
    assert status(lines) == ["0-1f rw FAILED", "20-2f rw PRESENT", "30-4f rw FAILED"]


def test_failed_range_that_became_known_is_settled_by_retry(drive: Drive) -> None:
    lines = drive(
        [("fail", 1, errno.ENOMEM), ("add", 0, 32, RW), ("boot", 0, 32), ("status",), ("retry",), ("status",)]
    )
    assert "0000000000000000-000000000000001f  rw FAILED" in lines
    assert lines.count("rc 0 1 0") == 1
    assert status(lines) == ["0-1f rw ENABLED"]


def test_failed_range_is_not_settled_by_success_over_a_part_that_is_known(drive: Drive) -> None:
    lines = drive(
        [("fail", 1, errno.ENOMEM), ("add", 0, 64, RW), ("boot", 0, 32), ("add", 0, 32, RW), ("status",)]
    )
    assert codes(lines) == [-errno.ENOMEM, 0]
    assert status(lines) == ["0-3f rw FAILED"]


def test_retry_reports_the_first_error_and_tries_all(drive: Drive) -> None:
    lines = drive(
        [
            ("hole", 0, 16),
            ("reserved", 32, 48),
            ("add", 0, 16, RW),
            ("add", 32, 16, RW),
            ("fail", 1, errno.ENOMEM),
            ("add", 64, 16, RW),
            ("retry",),
            ("status",),
        ]
    )
    assert f"rc -{errno.ENODEV} 3 2" in lines
    assert status(lines) == ["0-f rw FAILED", "20-2f rw FAILED", "40-4f rw PRESENT"]


def test_enabled_needs_every_page_and_is_lost_with_one(drive: Drive) -> None:
    def words(*events: Command) -> list[str]:
        return status(drive([("add", 0, 32, RW), *events, ("status",)]))

    assert words(("online", 0, 31)) == ["0-1f rw PRESENT"]
    assert words(("online", 0, 32)) == ["0-1f rw ENABLED"]
    assert words(("online", 0, 32), ("offline", 16, 32)) == ["0-1f rw PRESENT"]


def test_status_line_has_the_documented_spelling(drive: Drive) -> None:
    lines = drive([("add", 0x2F0, 0x10, RW), ("add", 0x20, 0x10, RO), ("status",)])
    assert lines[-3:-1] == [
        "0000000000000020-000000000000002f  ro FAILED",
        "00000000000002f0-00000000000002ff  rw PRESENT",
    ]


@pytest.mark.parametrize("capacity", [0, 1, 2, 3])
def test_snapshot_writes_no_more_than_it_may(drive: Drive, capacity: int) -> None:
    lines = drive([("add", 0, 16, RW), ("add", 32, 16, RW), ("short", capacity)])
    assert lines[-1] == "total 2"


# --- Failures at every point -------------------------------------------------------------------

FOUR_PIECES: list[Command] = [("boot", 16, 32), ("boot", 48, 64), ("boot", 80, 96)]
SPLITTING: list[Command] = [
    ("fail", 1, errno.ENOMEM),
    ("add", 0, 256, RW),
    ("boot", 32, 48),
    ("boot", 96, 112),
]


@pytest.mark.parametrize("nth", range(1, 5))
def test_failure_of_any_integration_leaves_nothing_half_added(drive: Drive, nth: int) -> None:
    lines = drive([*FOUR_PIECES, ("fail", nth, errno.ENOMEM), ("add", 0, 112, RW), ("status",), ("retry",)])
    assert codes(lines) == [-errno.ENOMEM, 0]
    assert status(lines) == ["0-f rw FAILED", "20-2f rw FAILED", "40-4f rw FAILED", "60-6f rw FAILED"]
    assert lines[-1] == "rc 0 4 0"


@pytest.mark.parametrize("nth", range(1, 7))
def test_failure_of_any_allocation_leaves_the_list_alone(drive: Drive, nth: int) -> None:
    """Three pieces cut a FAILED entry in four: six allocations, all before the VM is asked."""
    lines = drive([*SPLITTING, ("failalloc", nth), ("add", 16, 160, RW), ("status",), ("count",)])
    assert codes(lines)[1] == -errno.ENOMEM
    assert status(lines) == ["0-ff rw FAILED"]


def test_success_over_a_failed_range_settles_what_was_known_of_it(drive: Drive) -> None:
    lines = drive([*SPLITTING, ("failalloc", 7), ("add", 16, 160, RW), ("status",)])
    assert codes(lines)[1] == 0
    assert status(lines) == [
        "0-f rw FAILED",
        "10-1f rw PRESENT",
        "20-2f rw ENABLED",
        "30-5f rw PRESENT",
        "60-6f rw ENABLED",
        "70-af rw PRESENT",
        "b0-ff rw FAILED",
    ]


def stripes(count: int) -> list[Command]:
    """Boot memory that leaves ``count`` separate blocks missing from the beginning on."""
    return [("boot", (2 * i + 1) * BLOCK, (2 * i + 2) * BLOCK) for i in range(count)]


def test_table_takes_4096_ranges_and_not_one_more(drive: Drive) -> None:
    whole = 2 * BLOCK * MAX_RANGES
    full: list[Command] = [*stripes(MAX_RANGES), ("add", 0, whole, RW), ("count",)]
    lines = drive([*full, ("add", whole + BLOCK, BLOCK, RW), ("count",)])
    assert codes(lines) == [0, -errno.ENOSPC]
    assert lines.count(f"count {MAX_RANGES} 0 {MAX_RANGES} 0") == 2


def test_full_table_still_retries(drive: Drive) -> None:
    whole = 2 * BLOCK * MAX_RANGES
    lines = drive(
        [
            *stripes(MAX_RANGES),
            ("fail", MAX_RANGES, errno.ENOMEM),
            ("add", 0, whole, RW),
            ("add", 0, 5 * BLOCK, RW),
            ("count",),
        ]
    )
    assert codes(lines) == [-errno.ENOMEM, 0]
    assert lines[-1] == f"count {MAX_RANGES} 0 3 {MAX_RANGES - 3}"


def test_request_of_too_many_pieces_adds_none(drive: Drive) -> None:
    pieces = MAX_RANGES + 1
    lines = drive([*stripes(pieces), ("add", 0, 2 * BLOCK * pieces, RW), ("count",)])
    assert codes(lines) == [-errno.ENOSPC]
    assert lines[-1] == "count 0 0 0 0"
