"""Access log and tracing: said to be off when they are off, the shared line and the shared sampling when they are on."""

from harness.model.policy import LOGGED
from meshes.istio.telling import COLLECTOR, COLLECTOR_HOST, PROVIDERS
from tests.meshes.istio.arms import EVERY_FEATURE, documents, objects, plan_of, spec


def test_off_is_said() -> None:
    assert spec(plan_of(), "Telemetry", "default") == {
        "accessLogging": [{"disabled": True}],
        "tracing": [{"disableSpanReporting": True}],
    }


def test_each_side_has_a_log_of_its_own() -> None:
    told = spec(plan_of("access-log"), "Telemetry", "default")

    assert told["accessLogging"] == [
        {"match": {"mode": "CLIENT"}, "providers": [{"name": "hoptax-outbound"}]},
        {"match": {"mode": "SERVER"}, "providers": [{"name": "hoptax-inbound"}]},
    ]
    assert told["tracing"] == [{"disableSpanReporting": True}]


def test_a_line_has_every_field_of_every_other_arm() -> None:
    prefix = "envoyFileAccessLog.logFormat.labels."
    logs = [each for each in PROVIDERS if "envoyFileAccessLog.path" in each]

    assert [each["name"] for each in logs] == ["hoptax-outbound", "hoptax-inbound"]
    for each, direction in zip(logs, ("outbound", "inbound"), strict=True):
        fields = {key.removeprefix(prefix): value for key, value in each.items() if key.startswith(prefix)}
        assert sorted(fields) == sorted(LOGGED)
        assert fields["direction"] == direction


def test_traces_go_to_a_collector_that_every_sidecar_knows() -> None:
    plan = plan_of("tracing")
    collector = "hoptax-nowhere.istio-system.svc.cluster.local"
    (spans,) = [each for each in PROVIDERS if each["name"] == "hoptax-spans"]
    (service,) = documents(COLLECTOR.content)

    assert spec(plan, "Telemetry", "default")["tracing"] == [
        {
            "providers": [{"name": "hoptax-spans"}],
            "randomSamplingPercentage": 100,
            "enableIstioTags": False,
            "useRequestIdForTraceSampling": False,
        }
    ]
    assert (spans["opentelemetry.service"], spans["opentelemetry.port"]) == (collector, "4317")
    assert "selector" not in service["spec"]
    for sidecar in "abc":
        assert f"istio-system/{collector}" in spec(plan, "Sidecar", sidecar)["egress"][0]["hosts"]


def test_the_tracer_is_that_of_the_arm_envoy_so_that_sampling_is_the_same() -> None:
    (patch,) = spec(plan_of("tracing"), "EnvoyFilter", "sampling")["configPatches"]
    told = patch["patch"]["value"]["typed_config"]
    tracer = told["tracing"]["provider"]["typed_config"]

    assert (patch["applyTo"], patch["match"]["context"], patch["patch"]["operation"]) == (
        "NETWORK_FILTER",
        "ANY",
        "MERGE",
    )
    assert tracer["http_service"]["http_uri"]["cluster"] == f"outbound|4317||{COLLECTOR_HOST}"
    assert tracer["sampler"]["typed_config"]["wrapped_sampler"]["typed_config"]["sampling_percentage"] == {
        "numerator": 125000,
        "denominator": "MILLION",
    }
    assert told["request_id_extension"]["typed_config"]["use_request_id_for_trace_sampling"] is False


def test_without_the_feature_no_tracer_is_replaced() -> None:
    assert ("EnvoyFilter", "sampling") not in objects(plan_of(*(f for f in EVERY_FEATURE if f != "tracing")))
