"""The application's units: the fan-out service, or a program of the user's own in its place."""

import json

from harness.model.app import app_units, direct, entry_port, through_sidecar
from harness.model.mesh import Traffic
from harness.model.plan import Ready
from harness.model.program import Program
from harness.model.topology import Call, Command, Service, Step, Topology

FANOUT = Program("fanout", module="fanout")
CALLS_B = (Step((Call("b"),), sleep_us=7),)
OWN = Command(("./web", "{port}"), (("X", "{url.b}"),), "/up", "/srv/shop")


def topology(a: Command | None = None, b: Command | None = None) -> Topology:
    services = (Service("a", FANOUT, script=CALLS_B, command=a), Service("b", FANOUT, replicas=2, command=b))
    return Topology("t", "a", services)


def test_a_program_of_the_users_own_is_started_in_its_folder_and_ready_by_its_port() -> None:
    *_, unit = app_units(topology(a=OWN), Traffic(), direct, {"a-0": ("a-proxy",)})
    assert (unit.name, unit.role, unit.service, unit.host, unit.after) == ("a-0", "app", "a", "a-0", ("a-proxy",))
    assert (unit.program, unit.args, unit.folder, unit.files) == (Program("/srv/shop/web"), ("8080",), "/srv/shop", ())
    assert (unit.ports, unit.ready) == ((8080,), Ready(8080, "/up"))
    assert dict(unit.environment)["X"] == "http://${address.b-0}:8080"


def test_through_a_mesh_every_call_goes_to_the_own_sidecar() -> None:
    *_, unit = app_units(topology(a=OWN), Traffic(), through_sidecar(15001))
    environment = dict(unit.environment)
    assert (environment["X"], environment["B_URL"], environment["B_URLS"]) == ("http://${address.a-0}:15001",) * 3


def test_a_program_on_path_keeps_its_name() -> None:
    units = app_units(topology(b=Command(("python3", "x.py"), folder="/srv")), Traffic(), direct)
    assert [unit.program.name for unit in units] == ["python3", "python3", "fanout"]


def test_load_enters_by_the_front_door_if_there_is_one() -> None:
    assert (entry_port(topology(b=OWN)), entry_port(topology(a=OWN))) == (8081, 8080)


def test_a_caller_knows_who_tells_no_stamps_and_how_long_a_step_takes() -> None:
    *_, unit = app_units(topology(b=Command(("web",))), Traffic(), direct)
    told = json.loads(unit.files[0].content)
    assert (told["steps"][0][0]["stamped"], told["sleeps_us"]) == (False, [7])
    *_, unit = app_units(topology(), Traffic(), direct)
    assert json.loads(unit.files[0].content)["steps"][0][0]["stamped"] is True
