"""What a program of the user's own is told, in its words and its environment."""

from harness.model.command import told
from harness.model.topology import Command

ENDPOINTS = {"b-c": ("1.1.1.1:8080", "1.1.1.2:8080")}


def test_placeholders_are_filled_and_other_braces_left() -> None:
    own = Command(("web", "{host}:{port}", '{"r":{replica}}', "{url.b-c}/x", "{other}"), (("URL", "{url.b-c}"),))
    words, environment = told(own, "9.9.9.9", 8080, 2, ENDPOINTS)
    assert words == ("web", "9.9.9.9:8080", '{"r":2}', "http://1.1.1.1:8080/x", "{other}")
    assert dict(environment)["URL"] == "http://1.1.1.1:8080"


def test_variables_tell_where_to_listen_and_where_to_call() -> None:
    _, environment = told(Command(("web",)), "9.9.9.9", 8080, 0, ENDPOINTS)
    assert dict(environment) == {
        "HOST": "9.9.9.9",
        "PORT": "8080",
        "B_C_URL": "http://1.1.1.1:8080",
        "B_C_URLS": "http://1.1.1.1:8080 http://1.1.1.2:8080",
    }


def test_what_the_user_sets_wins() -> None:
    _, environment = told(Command(("web",), (("PORT", "1{port}"),)), "9.9.9.9", 8080, 0, {})
    assert dict(environment) == {"HOST": "9.9.9.9", "PORT": "18080"}
