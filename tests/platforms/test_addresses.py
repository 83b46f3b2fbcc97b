"""Blocks of loopback addresses."""

import os

import pytest

from harness.model.errors import EnvironmentFailure
from harness.platforms import addresses
from harness.platforms.addresses import HOSTS_PER_BLOCK, AddressBlock

PREFIX = f"test-{os.getpid()}"
"""Nothing binds these addresses, and blocks are claimed machine-wide: other test runs have names of their own."""


def test_hosts_are_numbered_in_their_order() -> None:
    with AddressBlock(PREFIX) as block:
        assigned = block.assign(["b-0", "a-0"])

    assert assigned == {"b-0": f"{PREFIX}.0.1", "a-0": f"{PREFIX}.0.2"}


def test_two_runs_have_no_address_in_common() -> None:
    with AddressBlock(PREFIX) as one, AddressBlock(PREFIX) as other:
        assert one.assign(["a-0"]) != other.assign(["a-0"])


def test_a_block_is_free_again_after_its_run() -> None:
    seen = []
    for _ in range(2):
        with AddressBlock(PREFIX) as block:
            seen.append(block.assign(["a-0"]))

    assert seen[0] == seen[1]


def test_more_hosts_than_a_block_has_are_refused() -> None:
    hosts = [f"a-{n}" for n in range(HOSTS_PER_BLOCK + 1)]
    with AddressBlock(PREFIX) as block:
        assert len(set(block.assign(hosts[:-1]).values())) == HOSTS_PER_BLOCK
        with pytest.raises(EnvironmentFailure, match="255 hosts, one machine carries 254: use fewer replicas"):
            block.assign(hosts)


def test_when_every_block_is_taken_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "BLOCKS", 1)
    with (
        AddressBlock(PREFIX),
        pytest.raises(EnvironmentFailure, match=f"all 1 address blocks {PREFIX}.x are in use: end another"),
    ):
        AddressBlock(PREFIX)
