"""Flavours of a tree with hot-add: names, high memory, what is asked of the configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamkit.build.kernel24.flavours import hotadd_flavour
from hamkit.errors import UserError
from hamkit.kernel.facts import Fact, KernelFacts
from hamkit.kernel.identify import Identity

PAE = Fact("pae_top_level", "", "own_page", "", 0)
FACTS = KernelFacts(Identity("2.4.13", "2.4.13", "", "vanilla", ()), {"pae_top_level": PAE}, (), ())
LOSES = replace(FACTS, facts={"pae_top_level": replace(PAE, value="empty_page")})


def test_the_first_flavour_is_one_processor_with_pae() -> None:
    flavour = hotadd_flavour(FACTS)
    assert (flavour.highmem, flavour.smp) == ("64G", False)
    asked = flavour.requested()
    assert asked["CONFIG_MEM_HOTADD"] == "y"
    assert asked["CONFIG_MEM_HOTADD_RESERVE"] == "128"
    assert asked["CONFIG_HIGHMEM64G"] == "y"
    assert asked["CONFIG_MODVERSIONS"] == "n"


def test_pae_is_not_the_default_where_it_loses_data() -> None:
    assert hotadd_flavour(LOSES).highmem == "4G"
    assert hotadd_flavour(LOSES, highmem="64g").highmem == "64G"


def test_what_is_asked_for() -> None:
    flavour = hotadd_flavour(FACTS, "smp", "4g", reserve_mb=256, modversions=True)
    assert (flavour.highmem, flavour.smp) == ("4G", True)
    assert flavour.requested()["CONFIG_MODVERSIONS"] == "y"
    assert flavour.requested()["CONFIG_MEM_HOTADD_RESERVE"] == "256"


@pytest.mark.parametrize(
    ("name", "highmem", "words"),
    [("big", "", "no flavour is called 'big'"), ("", "none", "high memory"), ("", "1G", "cannot be")],
)
def test_what_there_is_not(name: str, highmem: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        hotadd_flavour(FACTS, name, highmem)
    assert "choose" in error.value.hint
