"""References in the texts of a unit."""

from collections.abc import Mapping

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.plan import File, Unit
from harness.model.program import Program
from harness.platforms.references import Lookup, identity_names, mentions, resolve_unit

UNIT = Unit(
    "a-proxy",
    "sidecar",
    "a-0",
    Program("proxy"),
    args=("--to", "${address.b-0}:15006"),
    files=(File("one.json", '{"a": "${identity.a-0}/key.pem", "b": "${dir}", "c": "$HOME {x} ${A}"}', private=True),),
    environment=(("TOKEN", "${secret.a-0}"),),
    identity="spiffe://here/ns/${namespace}/sa/a",
)
KNOWN = {"address.b-0": "127.0.0.9", "identity.a-0": "ids", "dir.": "here", "secret.a-0": "s3", "namespace.": "n7"}


def found_in(known: Mapping[str, str]) -> Lookup:
    return lambda kind, name: known.get(f"{kind}.{name}")


def test_references_in_all_of_a_units_texts_are_replaced_and_nothing_else() -> None:
    resolved = resolve_unit(UNIT, found_in(KNOWN))

    assert resolved.args == ("--to", "127.0.0.9:15006")
    assert resolved.files == (
        File("one.json", '{"a": "ids/key.pem", "b": "here", "c": "$HOME {x} ${A}"}', private=True),
    )
    assert resolved.environment == (("TOKEN", "s3"),)
    assert resolved.identity == "spiffe://here/ns/n7/sa/a"
    assert resolved.name == UNIT.name


def test_what_a_reference_becomes_is_not_looked_at_again() -> None:
    resolved = resolve_unit(UNIT, found_in(KNOWN | {"address.b-0": "${secret.other}"}))

    assert resolved.args == ("--to", "${secret.other}:15006")


@pytest.mark.parametrize("missing", sorted(KNOWN))
def test_a_reference_to_nothing_names_unit_and_reference(missing: str) -> None:
    known = {name: text for name, text in KNOWN.items() if name != missing}
    with pytest.raises(EnvironmentFailure) as failure:
        resolve_unit(UNIT, found_in(known))

    assert f"unit 'a-proxy' asks for ${{{missing.removesuffix('.')}}}" in str(failure.value)


def test_a_unit_tells_what_it_mentions() -> None:
    assert identity_names(UNIT) == {"a-0"}
    assert mentions(UNIT, "secret")
    assert not mentions(UNIT, "authority")
