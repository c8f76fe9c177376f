"""`ray job submit`: a run that outlives the terminal that started it."""

import json
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.dataset as ds
import pytest

from tests.live_run import PATIENCE_S, WAITS, eventually, fresh_environment

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

RAY = (sys.executable, "-m", "ray.scripts.scripts")
TASKS = 8


@dataclass(frozen=True)
class Head:
    """A cluster as `ray start --head` leaves it, one that asks for a token."""

    dashboard: str
    environment: dict[str, str]
    token: str

    def ask(self, path: str) -> dict[str, str]:
        request = urllib.request.Request(self.dashboard + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            answer: dict[str, str] = json.loads(response.read())
        return answer

    def answers(self) -> bool:
        try:
            return bool(self.ask("/api/version"))
        except OSError:
            return False


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Head]:
    token = secrets.token_hex(32)
    (tmp_path / "token").write_text(token)
    (tmp_path / "token").chmod(0o600)
    environment = fresh_environment() | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    gcs, dashboard, client, agent, metrics = free_ports(5)
    options = {
        "port": gcs,
        "dashboard-port": dashboard,
        "dashboard-host": "127.0.0.1",
        "dashboard-agent-listen-port": agent,
        "metrics-export-port": metrics,
        "ray-client-server-port": client,
        "min-worker-port": 0,
        "max-worker-port": 0,
        "node-ip-address": "127.0.0.1",
        "num-cpus": 2,
        "object-store-memory": 100 * 2**20,
    }
    # Not below tmp_path: Ray puts Unix sockets there, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        words = [*RAY, "start", "--head", "--block", "--disable-usage-stats", f"--temp-dir={directory}"]
        words += [f"--{name}={value}" for name, value in options.items()]
        log = Path(directory) / "start.log"
        with log.open("w") as file:
            process = subprocess.Popen(words, env=environment, stdout=file, stderr=subprocess.STDOUT)
        try:
            head = Head(f"http://127.0.0.1:{dashboard}", environment, token)
            eventually(lambda: process.poll() is not None or head.answers(), "a dashboard")
            assert process.poll() is None, log.read_text()
            yield head
        finally:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and its descendants, by their ids."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    process.wait(PATIENCE_S)
    for survivor in psutil.wait_procs(family, timeout=30)[1]:
        survivor.kill()


def test_a_submitted_run_goes_on_without_its_terminal(head: Head, tmp_path: Path) -> None:
    spec = tmp_path / "live.toml"
    spec.write_text(WAITS.format(index=list(range(TASKS))))
    out = tmp_path / "runs"
    run = [sys.executable, "-m", "sweeps.run", str(spec), "--address", "auto", "--out", str(out)]
    submitted = subprocess.run(
        [*RAY, "job", "submit", "--address", head.dashboard, "--no-wait", "--", *run],
        env=head.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    match = re.search(r"raysubmit_\w+", submitted.stdout)
    assert match, submitted.stdout

    def over() -> str | None:
        status = head.ask(f"/api/jobs/{match[0]}")["status"]
        return status if status in ("SUCCEEDED", "FAILED", "STOPPED") else None

    verdict = eventually(over, "the end of the job")
    assert verdict == "SUCCEEDED", head.ask(f"/api/jobs/{match[0]}/logs")["logs"]
    table = ds.dataset(sorted(out.glob("live/waits/part-*.parquet"))).to_table()
    assert sorted(table["index"].to_pylist()) == list(range(TASKS))
    assert set(table["status"].to_pylist()) == {"ok"}
