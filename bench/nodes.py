"""A Ray cluster of fake nodes on this machine, any of which can be killed and replaced: for tests and for chaos.

Every process of the cluster descends from this one and carries its mark, so that it can be told from others'; ports
and temporary directory are its own. The head node offers no cores: drivers and coordinators live there.
"""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psutil

from actors.ray_pool.cluster import LOCAL_SETTINGS

MARK: Final = "SWEEPS_CHAOS_MARK"
ACTORS: Final = ("Coordinator", "RayWorker")
OBJECT_STORE_BYTES: Final = 100 * 2**20
QUICK: Final = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
"""A dead node is known after about two seconds instead of fifteen."""


class FakeCluster:
    """A head without cores and a node for each entry of `cores`, with so many."""

    def __init__(self, cores: Sequence[int], system: Mapping[str, Any] = QUICK) -> None:
        """Nothing is started before it is entered.

        Args:
            cores: of each node.
            system: Ray's internal settings.
        """
        self.mark = uuid.uuid4().hex
        self._cores = list(cores)
        self._system = dict(system)
        self._nodes: dict[int, Any] = {}
        self._cluster: Any = None
        self._directory = ""

    def __enter__(self) -> "FakeCluster":
        # Short, because socket paths may have 107 characters; ours, because Ray notes there where `auto` is.
        self._directory = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
        os.environ |= LOCAL_SETTINGS | {
            MARK: self.mark,
            "RAY_TMPDIR": self._directory,
            "RAY_AUTH_MODE": "disabled",
        }
        from ray.cluster_utils import Cluster  # after the settings, which are read with the import

        head = self._settings(0) | {"_system_config": self._system}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        for number in range(len(self._cores)):
            self.start_node(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.shutdown()
        for leftover in self.processes():  # what an error left behind
            leftover.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def address(self) -> str:
        """HOST:PORT to join it at."""
        return str(self._cluster.address)

    @property
    def numbers(self) -> list[int]:
        """Nodes that are there."""
        return sorted(self._nodes)

    def start_node(self, number: int) -> None:
        """Start that node, or another one in the place of the one that was killed."""
        self._nodes[number] = self._cluster.add_node(**self._settings(self._cores[number]))

    def kill_node(self, number: int) -> None:
        """kill -9 of its raylet; what is left of the node is cleared away."""
        node = self._nodes.pop(number)
        self.raylet(node).send_signal(signal.SIGKILL)
        self._cluster.remove_node(node, allow_graceful=False)

    def remove_node(self, number: int) -> None:
        """End it in good order, as `ray stop` does."""
        self._cluster.remove_node(self._nodes.pop(number))

    def actors(self, *kinds: str) -> list[psutil.Process]:
        """Processes of the actors of those classes; without any, all that a run consists of."""
        titles = tuple(f"ray::{kind}" for kind in kinds or ACTORS)
        return [process for process in self.processes() if _title(process).startswith(titles)]

    def output(self, process: psutil.Process) -> str:
        """What an actor printed so far."""
        logs = Path(self._directory).glob(f"ray/session_*/logs/worker-*-{process.pid}.out")
        return "".join(log.read_text() for log in logs)

    def processes(self) -> Iterator[psutil.Process]:
        """Every process that carries this cluster's mark, but for this one."""
        for process in psutil.process_iter():
            if process.pid != os.getpid() and is_marked(process, self.mark):
                yield process

    @staticmethod
    def raylet(node: Any) -> psutil.Process:
        """The process of a node that gives its workers their work."""
        return psutil.Process(node.all_processes["raylet"][0].process.pid)

    def _settings(self, cores: int) -> dict[str, Any]:
        return {"num_cpus": cores, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}


def is_marked(process: psutil.Process, mark: str) -> bool:
    """Whether it lives and carries that mark."""
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
