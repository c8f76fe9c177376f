"""Directories, proxies and caches of a user's terminal, and their effects on Ray."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from actors.ray_pool import holders, surroundings
from actors.ray_pool.holders import PlacedActor
from actors.ray_pool.surroundings import LONGEST_SOCKET_PATH
from sweeps.errors import UserError
from sweeps.task import Slot

LONG = "/tmp/" + "a" * 100


def test_sockets_go_where_ray_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "LONGEST_SOCKET_PATH", 4096)
    named = tmp_path / "new"
    assert surroundings.socket_directory({"RAY_TMPDIR": str(named), "TMPDIR": "/tmp"}) == str(named)
    assert surroundings.socket_directory({"TMPDIR": str(tmp_path)}) == str(tmp_path)


@pytest.mark.parametrize("tmpdir", [LONG, "/nowhere", "/proc", "relative", "", "/dev/null"])
def test_a_tmpdir_that_does_not_do_is_passed_over(tmpdir: str) -> None:
    assert surroundings.socket_directory({"TMPDIR": tmpdir}) == "/tmp"
    variables = surroundings.directory_variables("/tmp", {"TMPDIR": tmpdir})
    assert variables == {"RAY_TMPDIR": "/tmp"} | ({"TMPDIR": "/tmp"} if tmpdir else {})


@pytest.mark.parametrize(("named", "reason"), [(LONG, "too long by"), ("/proc/x", "no such"), ("/dev/null", "no such")])
def test_a_directory_named_for_ray_that_does_not_do_is_one_message(
    named: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    with pytest.raises(UserError, match=f"RAY_TMPDIR={named}: {reason}.*name another directory, or unset RAY_TMPDIR"):
        surroundings.socket_directory({"RAY_TMPDIR": named})


def test_the_longest_path_is_one_that_a_socket_can_have(tmp_path: Path) -> None:
    fits = "/tmp/" + "a" * 200
    while (reason := surroundings.socket_problem(fits)) and "too long" in reason:
        fits = fits[:-1]
    name = f"{fits}/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
    assert len(name) == LONGEST_SOCKET_PATH
    with socket.socket(socket.AF_UNIX) as own, pytest.raises(FileNotFoundError):  # not 'path too long'
        own.bind(name)


def test_nothing_changes_without_a_proxy() -> None:
    assert surroundings.proxy_exemptions(["192.0.2.2"], {"no_proxy": "example.org"}) == {}


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "grpc_proxy"])
def test_the_cluster_is_exempt_from_a_proxy_and_what_was_exempt_stays(name: str) -> None:
    environment = {name: "http://proxy:3128", "NO_PROXY": "example.org, 10.0.0.0/8"}
    expected = "example.org,10.0.0.0/8,127.0.0.1,localhost,::1,192.0.2.2"
    changed = surroundings.proxy_exemptions(["192.0.2.2"], environment)
    assert changed == {"no_proxy": expected, "NO_PROXY": expected}
    assert surroundings.proxy_exemptions(["192.0.2.2"], environment | changed) == changed


def test_whoever_exempts_everything_or_grpc_is_heard() -> None:
    environment = {"http_proxy": "http://proxy:3128", "no_proxy": "*", "NO_PROXY": "*", "no_grpc_proxy": "a"}
    assert surroundings.proxy_exemptions((), environment) == {"no_grpc_proxy": "a,127.0.0.1,localhost,::1"}


def test_variables_that_change_what_ray_does_are_recalled() -> None:
    assert (
        surroundings.ray_variables_note(["HOME", "RAY_USE_TLS", "RAY_A"])
        == "; set in the environment: RAY_A, RAY_USE_TLS"
    )
    assert surroundings.ray_variables_note(["HOME"]) == ""


def test_where_files_are_is_told_alike_whoever_says_nothing() -> None:
    silent = surroundings.file_locations({"HOME": "/home/me"})
    assert silent == surroundings.file_locations({"HOME": "/home/me", "HF_HOME": "~/.cache/huggingface"} | silent)
    assert silent["HF_HUB_CACHE"] == "/home/me/.cache/huggingface/hub"
    assert surroundings.file_locations({"HOME": "/home/me", "HF_HOME": "cache"})["HF_HOME"] == str(
        Path("cache").absolute()
    )
    assert "secret" not in str(surroundings.file_locations({"HOME": "/home/me", "HF_TOKEN": "secret"}))


def test_they_are_where_the_library_looks(tmp_path: Path) -> None:
    script = (
        "from huggingface_hub import constants as c; print(c.HF_HOME, c.HF_HUB_CACHE, c.HF_HUB_OFFLINE, c.ENDPOINT)"
    )
    for own in ({}, {"XDG_CACHE_HOME": "/x"}, {"HF_HOME": "/h"}, {"HF_HUB_CACHE": "/c", "HF_HUB_OFFLINE": "1"}):
        environment = {"HOME": str(tmp_path)} | own
        told = surroundings.file_locations(environment)
        words = [
            subprocess.run([sys.executable, "-c", script], env=each, capture_output=True, text=True, check=True).stdout
            for each in (environment, {"HOME": "/elsewhere"} | told)
        ]
        assert words[0] == words[1]


def test_only_a_node_of_this_machine_with_other_files_is_given_ours() -> None:
    here, there = {"HF_HOME": "/a"}, {"HF_HOME": "/b"}
    assert surroundings.differing_locations(socket.gethostname(), there, here) == here
    assert surroundings.differing_locations(socket.gethostname(), here, here) == {}
    assert surroundings.differing_locations(socket.gethostname(), {}, here) == {}
    assert surroundings.differing_locations("another", there, here) == {}


def test_who_holds_what_is_waited_for_is_told() -> None:
    slot = Slot("cpu", 0, 1)
    placed = [
        PlacedActor("theirs 02", "n1", {"CPU": 1}),
        PlacedActor("theirs 02", "n1", {"CPU": 1.0}),
        PlacedActor("Other of job 03", "n1", {"CPU": 2, "GPU": 1}),
        PlacedActor("idle 04", "n1", {}),
        PlacedActor("mine 05", "n1", {"CPU": 4}),
    ]
    assert holders.waiting_message([slot, slot], placed, "mine 05") == (
        "waiting for 2 cores held by theirs 02 (2 cores), Other of job 03 (1 GPU and 2 cores)"
    )
    assert holders.waiting_message([Slot("gpu", 2, 1)], [], "mine 05") == (
        "starting workers on 2 GPUs and 1 core, unless other work on the cluster has them"
    )
