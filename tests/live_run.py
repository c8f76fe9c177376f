"""A run that goes on until it is told to stop, in a process of its own, with a Ray of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

PATIENCE_S = 90.0
WAITS = """
name = "live"
[[sweep]]
name = "waits"
benchmark = "noop"
iterations = 1
warmup = 0
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
wait_s = [0.25]
index = {index}
"""
GENERATION = """
name = "live"
[[sweep]]
name = "generation"
benchmark = "generation"
iterations = 3
[sweep.factors]
model = ["builtin://tiny-base"]
device = ["cpu"]
quantization = ["none"]
cpu_cores = [1]
max_new_tokens = {tokens}
prompt_words = [8, 16, 32, 64]
"""
T = TypeVar("T")


class LiveRun:
    """`python -m sweeps.run` on a Ray that it started itself."""

    def __init__(self, directory: Path, spec: str) -> None:
        (directory / "live.toml").write_text(spec)
        self._log = directory / "run.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sweeps.run", "live.toml"],
                cwd=directory,
                env=fresh_environment() | {"RAY_metrics_report_interval_ms": "500"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        assert self.process.poll() is None, self._log.read_text()
        return self._log.read_text()

    def address(self) -> str:
        """HOST:PORT of its Ray."""
        return eventually(lambda: _found(r"--address (\S+)", self.output()), "the address of its Ray")

    def dashboard(self) -> str:
        """The URL that it prints."""
        return eventually(lambda: _found(r"Ray dashboard: (\S+)", self.output()), "the address of its dashboard")

    def stop(self) -> int:
        """As Ctrl-C does; the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()  # a run that did not end would compute beside every later test


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match[1] if match else None


def eventually(look: Callable[[], T | None], what: str) -> T:
    """What `look` finds, as soon as it finds anything."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline_s, f"never: {what}"
        time.sleep(0.1)
    return found


def fresh_environment() -> dict[str, str]:
    """As in a new terminal: without what the session's Ray left in this process."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}


def token() -> str:
    """What the dashboard asks for."""
    return (Path.home() / ".ray" / "auth_token").read_text().strip()
