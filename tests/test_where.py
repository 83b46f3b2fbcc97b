"""The options that say where: what goes together, and what is made of them."""

import pytest

from harness.commands.where import images, quantities, target
from harness.model.errors import UsageError
from harness.platforms.places import Resources


def asked(platform: str = "kubernetes", limits: str = "") -> object:
    return target(platform, "", "", "", "", "", "", limits, yes=False)


def test_this_machine_is_the_default_and_takes_no_options_of_clusters() -> None:
    assert asked("process") is None
    with pytest.raises(UsageError, match="--limits is for a cluster: say --platform kubernetes too"):
        asked("process", limits="cpu=1")


def test_an_unknown_platform_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="unknown platform 'k8s': have kubernetes, process"):
        asked("k8s")


def test_a_cluster_gets_what_was_said_and_our_defaults() -> None:
    found = target("kubernetes", "kind-a", "/f", "mine", "image:1", "envoy=e:1", "", "cpu=1,memory=64Mi", yes=True)
    assert found is not None
    assert (found.context, found.kubeconfig, found.prefix, found.image) == ("kind-a", "/f", "mine", "image:1")
    assert found.any_context
    assert found.resources == Resources(limits=(("cpu", "1"), ("memory", "64Mi")))


@pytest.mark.parametrize("text", ["cpu", "cpu=", "disk=1", "cpu=1,=2"])
def test_what_is_no_list_of_quantities_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"e\.g\. cpu=100m,memory=64Mi"):
        quantities(text)


def test_images_of_meshes_are_pairs() -> None:
    assert images(" envoy=registry:5000/envoy:v1 ,") == (("envoy", "registry:5000/envoy:v1"),)
    assert images("") == ()


@pytest.mark.parametrize("text", ["envoy", "envoy=", "=registry/envoy:v1"])
def test_what_is_no_list_of_images_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"write NAME=IMAGE, e\.g\. envoy=registry/envoy:v1"):
        images(text)


def test_an_image_that_no_mesh_runs_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="unknown mesh image 'envy': have envoy"):
        images("envy=registry/envoy:v1")
