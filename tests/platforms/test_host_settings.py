"""Settings of the host are put back if they differ, and what this user can't put back is said."""

from pathlib import Path

import pytest

from harness.platforms import host_settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host_settings, "_iptables", lambda *words: "")
    for name in host_settings.SYSCTLS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("0\n")
    return tmp_path


def test_only_what_differs_is_written(folder: Path) -> None:
    before = host_settings.read(folder)
    assert before == dict.fromkeys(host_settings.SYSCTLS, "0")
    (folder / "kernel/panic").write_text("10\n")
    assert host_settings.put_back(before, folder) == []
    assert (folder / "kernel/panic").read_text() == "0"
    assert (folder / "vm/overcommit_memory").read_text() == "0\n"


def test_what_may_not_be_written_is_answered_as_a_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host_settings.read(folder)
    (folder / "kernel/panic").write_text("10\n")

    def refuse(self: Path, text: str) -> int:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert host_settings.put_back(before, folder) == ["sysctl -w kernel.panic=0"]


def test_the_forward_policy_is_read_and_put_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = "ACCEPT"

    def iptables(*words: str) -> str:
        nonlocal policy
        if words[:2] == ("-P", "FORWARD"):
            policy = words[2]
        return f"-P FORWARD {policy}\n-A FORWARD -j DOCKER-USER\n"

    monkeypatch.setattr(host_settings, "_iptables", iptables)
    before = host_settings.read(folder)
    policy = "DROP"
    assert host_settings.put_back(before, folder) == []
    assert policy == "ACCEPT"
