"""The Ray that an address means, and the messages if there is none."""

import socket
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from actors.ray_pool import address, dashboard, gcs_probe
from actors.ray_pool.address import GcsAddress, NoneHere
from actors.ray_pool.token import HeldToken
from sweeps.errors import UserError

RECORD = Path("/tmp/ray/ray_current_cluster")
A, B = "192.0.2.2:6379", "192.0.2.2:6400"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (A, "192.0.2.2", 6379),
        ("head:1", "head", 1),
        ("[::1]:6379", "::1", 6379),
        ("a-b.example:65535", "a-b.example", 65535),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    gcs = address.parse(text, "--address", "")
    assert (gcs.host, gcs.port, str(gcs)) == (host, port, text)


NO_ADDRESSES = (
    "",
    "nowhere",
    ":6379",
    "head:",
    "head:0",
    "head:65536",
    "head:x",
    "head:-1",
    "head:6379/",
    "a b:1",
    "::1:6379",
    "user@head:22",
    "http://head:8265",
    "ray://head:10001",
)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_anything_else_is_told(text: str) -> None:
    with pytest.raises(UserError, match="it is neither local, auto, inline nor HOST:PORT"):
        address.parse(text, f"--address {text}", "")


def test_auto_is_where_ray_address_points_and_the_message_names_it() -> None:
    gcs = address.find("auto", {"RAY_ADDRESS": "127.0.0.1:1"})
    assert (str(gcs), gcs.is_own) == ("127.0.0.1:1", False)
    assert "RAY_ADDRESS=127.0.0.1:1 in the environment" in gcs.source
    assert gcs.advice.startswith("unset RAY_ADDRESS")


def test_a_host_and_port_is_itself_whatever_ray_address_says() -> None:
    assert str(address.find(A, {"RAY_ADDRESS": B})) == A


@pytest.mark.parametrize(
    ("recorded", "running", "expected"), [(A, {A}, A), (A, {A, B}, A), (None, {B}, B), (A, {B}, B), ("x", {B}, B)]
)
def test_auto_is_the_one_that_was_started_last_of_those_that_run(
    recorded: str | None, running: set[str], expected: str
) -> None:
    gcs = address.choose(recorded, running, RECORD)
    assert str(gcs) == expected
    assert gcs.is_own


def test_a_note_that_a_dead_ray_left_is_named() -> None:
    gcs = address.choose(A, (), RECORD)
    assert (str(gcs), gcs.is_own) == (A, False)
    assert str(RECORD) in gcs.source
    assert "a Ray that is gone left it" in gcs.advice


def test_none_and_several_are_told() -> None:
    with pytest.raises(NoneHere, match=r"no Ray runs on this machine; start one with './start_node.sh head'"):
        address.choose(None, (), RECORD)
    with pytest.raises(UserError, match=f"several Rays run on this machine .{A}, {B}.*give --address HOST:PORT"):
        address.choose("192.0.2.2:1", {A, B}, RECORD)


def test_the_note_is_found_where_ray_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "_running", lambda: {A, B})
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(f"{B}\n")
    for variable in ("RAY_TMPDIR", "TMPDIR"):
        assert str(address.find("auto", {variable: str(tmp_path)})) == B


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("localhost", True), ("203.0.113.7", False), ("", False)]
)
def test_this_machine_is_known(host: str, here: bool) -> None:
    assert bool(host and address.is_here(host)) == here


# --- the control process ---


class Head(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A fake control process, which asks for `token` unless it is None."""

    def __init__(self, token: str | None, path: str = gcs_probe._METHOD) -> None:
        self.token = token
        self.path = path

    def service(self, call: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._answer) if call.method == self.path else None

    def _answer(self, _request: bytes, context: Any) -> bytes:
        shown = dict(context.invocation_metadata()).get("authorization")
        if self.token and shown != f"Bearer {self.token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "missing or incorrect")
        return b""


def answer(head: Head, token: str | None) -> gcs_probe.Answer:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), handlers=[head])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        return gcs_probe.ask("127.0.0.1", port, token)
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize(
    ("own", "shown", "expected"),
    [
        (None, None, "welcome"),
        (None, "any", "welcome"),
        ("secret", None, "refused"),
        ("secret", "other", "refused"),
        ("secret", "secret", "welcome"),
    ],
)
def test_a_head_says_whether_it_wants_a_token(
    own: str | None, shown: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # which must not be used
    assert answer(Head(own), shown).value == expected


def test_another_server_is_no_head() -> None:
    with pytest.raises(gcs_probe.NoRayThere, match="what listens there is no head of a Ray"):
        answer(Head(None, "/ray.rpc.RayletDriver/Init"), None)


def test_who_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs_probe, "CONNECT_TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(gcs_probe.NoRayThere, match="does not answer within"):
            gcs_probe.ask("127.0.0.1", silent.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid", "a..b"])
def test_nobody_is_told_at_once(host: str) -> None:
    with pytest.raises(gcs_probe.NoRayThere, match="nobody listens there"):
        gcs_probe.ask(host, 1)


# --- the dashboard ---

HERE = GcsAddress("127.0.0.1", 6379, "", "")
ELSEWHERE = GcsAddress("203.0.113.7", 6379, "", "")
TOKEN = HeldToken("secret", "~/.ray/auth_token")


@pytest.fixture
def listening() -> Any:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_dashboard_here_is_told_with_the_token_that_it_asks_for(listening: int) -> None:
    url = f"127.0.0.1:{listening}"
    assert dashboard.line(url, HERE, None) == f"Ray dashboard: http://{url}"
    assert dashboard.line(f"http://{url}/", HERE, TOKEN) == (
        f"Ray dashboard: http://{url} (it asks for the token in ~/.ray/auth_token)"
    )


@pytest.mark.parametrize("url", ["", None, "127.0.0.1:1"])
def test_none_or_one_that_does_not_answer_is_not_told(url: str | None) -> None:
    assert dashboard.line(url, HERE, TOKEN) is None


def test_one_on_another_host_is_told_with_the_way_to_it() -> None:
    assert dashboard.line("127.0.0.1:8265", ELSEWHERE, None) == (
        "Ray dashboard: ssh -L 8265:127.0.0.1:8265 203.0.113.7, then http://127.0.0.1:8265"
    )


def test_a_name_of_the_users_is_told_as_it_is() -> None:
    assert dashboard.line("https://ray.example/mine", ELSEWHERE, None) == "Ray dashboard: https://ray.example/mine"
