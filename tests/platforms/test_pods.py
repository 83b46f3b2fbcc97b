"""What is read from a pod's status: by the forms that a real cluster shows."""

from typing import Any

from harness.platforms import pods

Json = dict[str, Any]


def pod(*statuses: Json, name: str = "b-0-5bdbb69879-rb8n6", owner: str = "b-0-5bdbb69879", **status: Any) -> Json:
    return {
        "metadata": {"name": name, "namespace": "ns", "ownerReferences": [{"kind": "ReplicaSet", "name": owner}]},
        "spec": {"nodeName": "n1"},
        "status": {"podIP": "198.19.0.7", "containerStatuses": list(statuses)} | status,
    }


def status(state: Json, *, name: str = "b-0", restarts: int = 0, last: Json | None = None) -> Json:
    return {
        "name": name,
        "state": state,
        "lastState": last or {},
        "restartCount": restarts,
        "containerID": "containerd://abc",
    }


RUNNING = {"running": {"startedAt": "x"}}
KILLED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}


def test_a_pod_is_found_by_the_deployment_behind_its_replica_set_or_by_its_job() -> None:
    deployed, job = pod(), pod(owner="hoptax-load", name="hoptax-load-x")
    assert pods.of_workload([job, deployed], "b-0") is deployed
    assert pods.of_workload([deployed, job], "hoptax-load") is job
    assert pods.of_workload([deployed], "b") is None


def test_a_pod_that_is_leaving_is_nobodys() -> None:
    left = pod()
    left["metadata"]["deletionTimestamp"] = "x"
    assert pods.of_workload([left], "b-0") is None


def test_a_native_sidecar_is_a_container_like_others() -> None:
    found = pod(status(RUNNING), initContainerStatuses=[status(RUNNING, name="proxy")])
    assert pods.runs(found, "proxy")
    assert pods.container_id(found, "proxy") == "abc"
    assert not pods.runs(found, "other")
    assert pods.container_id(found, "other") == ""


def test_an_image_that_is_missing_is_hopeless_and_one_that_is_pulled_is_not() -> None:
    missing = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    assert pods.hopeless(pod(status(missing))) == (
        "container 'b-0' of pod 'b-0-5bdbb69879-rb8n6': ErrImagePull (no such image)"
    )
    waiting = pod(status({"waiting": {"reason": "ContainerCreating"}}))
    assert not pods.hopeless(waiting)
    assert "ContainerCreating" in pods.waits_for(waiting)


def test_a_pod_without_a_node_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
    assert "Unschedulable (0/1 nodes: cpu)" in pods.waits_for(pod(conditions=[condition]))


def test_a_restart_is_told_with_its_reason() -> None:
    again = pod(status(RUNNING, restarts=1, last=KILLED))
    assert pods.ended(again, {"b-0": 0}) == "container 'b-0' of pod 'b-0-5bdbb69879-rb8n6': OOMKilled (exit code 137)"
    assert pods.ended(again, {"b-0": 1}) == ""


def test_a_container_that_has_ended_is_told_but_not_an_init_container_that_is_done() -> None:
    assert "OOMKilled" in pods.ended(pod(status(KILLED)), {})
    done = status({"terminated": {"reason": "Completed", "exitCode": 0}}, name="init")
    assert pods.ended(pod(status(RUNNING), initContainerStatuses=[done]), {}) == ""


def test_an_eviction_is_told() -> None:
    gone = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert "Evicted (The node was low on resource: memory.)" in pods.ended(gone, {})


def test_a_status_from_before_a_kill_that_was_asked_for_is_behind() -> None:
    before = pod(status(KILLED))
    assert pods.is_behind(before, {"b-0": 1})
    assert not pods.is_behind(pod(status(RUNNING, restarts=1)), {"b-0": 1})
    assert not pods.is_behind(before, {"b-0": 0, "other": 3})
