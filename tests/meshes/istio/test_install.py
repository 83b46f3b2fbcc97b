"""The installation: every setting on istioctl's command line, in a form that it reads as it is meant."""

import re

from meshes.istio.install import RENDER


def settings() -> dict[str, str]:
    words = RENDER.args[2:]
    assert set(words[::2]) == {"--set"}
    pairs = [word.split("=") for word in words[1::2]]
    assert all(len(pair) == 2 for pair in pairs), "istioctl takes a second '=' for no value at all"
    found = dict(pairs)
    assert len(found) == len(pairs)
    return found


def test_it_is_rendered_and_waited_for() -> None:
    assert RENDER.args[:2] == ("manifest", "generate")
    assert (RENDER.namespace, RENDER.lifetime) == ("istio-system", "experiment")
    assert RENDER.settled == "deployment/istiod=condition=Available"


def test_images_are_those_of_istioctls_own_version() -> None:
    assert {"hub", "tag"}.isdisjoint(settings())


def test_what_other_arms_lack_is_off() -> None:
    told = settings()

    assert told["profile"] == "minimal"
    for path in (
        "meshConfig.enableTracing",
        "meshConfig.localityLbSetting.enabled",
        "values.telemetry.enabled",
        "values.pilot.env.PILOT_ENABLE_METADATA_EXCHANGE",
        "values.pilot.env.PILOT_ENABLE_ALPN_FILTER",
        "values.pilot.autoscaleEnabled",
    ):
        assert told[path] == "false"


def test_the_trust_domain_is_that_of_every_arm() -> None:
    assert settings()["meshConfig.trustDomain"] == "hoptax.local"


def test_providers_fill_a_list_without_gaps_and_each_begins_with_its_name() -> None:
    paths = [path for path in settings() if path.startswith("meshConfig.extensionProviders")]
    places = [re.match(r"meshConfig\.extensionProviders\.\[(\d)\]\.(.*)", path) for path in paths]
    found = [(int(place[1]), place[2]) for place in places if place]

    assert len(found) == len(paths)
    assert [number for number, rest in found if rest == "name"] == [0, 1, 2]
    assert found == sorted(found, key=lambda each: (each[0], each[1] != "name"))
