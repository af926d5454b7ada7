"""Configurations of 2.4 kernels as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamkit.build.kernel24.build import Flavour
from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.kernel.config import Config, known_options, misfits, parse

SMALL = project_root() / "tests" / "data" / "kernel" / "small24"

NAMES = st.from_regex(r"CONFIG_[A-Z0-9_]{1,12}", fullmatch=True)
VALUES = st.sampled_from(["y", "m", "n", "128", "0x1f", '"console"'])
CONFIGS = st.dictionaries(NAMES, VALUES, max_size=8).map(Config)


@given(CONFIGS)
def test_written_and_read_again(config: Config) -> None:
    assert parse(config.text()).options == config.options


@given(CONFIGS, CONFIGS)
def test_a_fragment_holds_after_it_was_merged(config: Config, fragment: Config) -> None:
    merged = config.merged(fragment)
    assert fragment.is_subset_of(merged)
    assert {**config.options, **fragment.options} == merged.options


@given(CONFIGS, CONFIGS)
def test_subset_and_differences_agree(config: Config, other: Config) -> None:
    differences = config.differences(other, frozenset())
    assert config.is_subset_of(other) == (differences == ())
    assert all(config[item.name] == item.requested != item.effective for item in differences)


def test_what_is_not_there_is_off() -> None:
    assert parse("# CONFIG_SMP is not set\n").is_subset_of(Config())
    assert Config()["CONFIG_SMP"] == "n"


def test_differences_in_words() -> None:
    asked = Config({"CONFIG_SMALL": "y", "CONFIG_NONE": "m"})
    known = known_options(SMALL)
    assert [str(item) for item in asked.differences(Config(), known)] == [
        "CONFIG_NONE=m: this tree has no such option",
        "CONFIG_SMALL=y came out as n",
    ]


def test_every_fault_is_named_with_its_line() -> None:
    with pytest.raises(UserError) as error:
        parse("CONFIG_A=y\nCONFIG_B=maybe\n# a comment\nB=y\n", "frag")
    assert error.value.message == "frag:2: 'CONFIG_B=maybe' is no option; frag:4: 'B=y' is no option"


@pytest.mark.parametrize("highmem", ["none", "4G", "64G"])
def test_a_flavour_asks_for_one_memory_model(highmem: str) -> None:
    asked = Flavour(highmem=highmem).requested()  # type: ignore[arg-type]
    names = {"none": "CONFIG_NOHIGHMEM", "4G": "CONFIG_HIGHMEM4G", "64G": "CONFIG_HIGHMEM64G"}
    assert {key: asked[name] for key, name in names.items()} == {
        key: "y" if key == highmem else "n" for key in names
    }


def test_a_flavour_with_options_of_its_own() -> None:
    asked = Flavour(smp=True, modules=False, options={"CONFIG_HAM": "y", "CONFIG_NET": "n"}).requested()
    wanted = {"CONFIG_SMP": "y", "CONFIG_MODULES": "n", "CONFIG_HAM": "y", "CONFIG_NET": "n"}
    assert {name: asked[name] for name in wanted} == wanted


def test_values_of_the_wrong_kind() -> None:
    assert misfits(Config({"CONFIG_SMALL": "128", "CONFIG_NONE": "128"}), SMALL) == (
        "CONFIG_SMALL=128: the tree asks for bool",
    )
    assert misfits(Flavour(options={"CONFIG_SMALL": "y"}).requested(), SMALL) == ()
