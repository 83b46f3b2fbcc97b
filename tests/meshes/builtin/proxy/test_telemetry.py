"""The text for Prometheus: cumulative buckets that end in the count, and the same counters after every change."""

from meshes.builtin.proxy.telemetry import Telemetry


def test_the_histogram_is_cumulative_and_complete() -> None:
    telemetry = Telemetry()
    traffic = telemetry.traffic_of("outbound", "b")
    for elapsed_ns in (1, 16_383, 16_384, 1_000_000, 2**40):
        traffic.count(200, elapsed_ns)
    text = telemetry.text()
    assert 'le="1.6384e-05"} 2\n' in text
    assert 'le="3.2768e-05"} 3\n' in text
    assert 'le="0.001048576"} 4\n' in text
    assert 'le="17.1798692"} 4\n' in text
    assert 'le="+Inf"} 5\n' in text
    assert 'hoptax_request_duration_seconds_count{direction="outbound",cluster="b"} 5\n' in text


def test_counters_outlive_changes_of_configuration() -> None:
    telemetry = Telemetry()
    assert telemetry.traffic_of("outbound", "b") is telemetry.traffic_of("outbound", "b")
    assert telemetry.connections_of("upstream", "b") is telemetry.connections_of("upstream", "b")
    telemetry.failed("outbound", "no-route")
    telemetry.failed("outbound", "no-route")
    assert 'hoptax_local_responses_total{direction="outbound",flag="no-route"} 2\n' in telemetry.text()


def test_every_line_is_a_comment_or_a_sample() -> None:
    telemetry = Telemetry()
    telemetry.traffic_of("inbound", "local").count(503, 5)
    telemetry.connections_of("downstream", "inbound")
    for line in telemetry.text().splitlines():
        if not line.startswith("# TYPE hoptax_"):
            name, value = line.rsplit(" ", 1)
            assert name.startswith("hoptax_")
            float(value)
