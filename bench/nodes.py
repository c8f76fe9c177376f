"""A Ray cluster of fake nodes on this machine, for tests and for `bench.chaos`; any node can be killed and replaced.

Every process of the cluster descends from this process and carries the cluster's mark in its environment, which sets
the process apart from those of other clusters. Ports and temporary directory belong to the cluster alone. The head
node offers no cores: drivers and coordinators run there.
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
QUICK_HEALTH_CHECKS: Final = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
"""Settings with which Ray notices a dead node after about two seconds instead of fifteen."""


class FakeCluster:
    """A head node without cores, and a node with that many cores for each entry of `cores`."""

    def __init__(self, cores: Sequence[int], system: Mapping[str, Any] = QUICK_HEALTH_CHECKS) -> None:
        """Start nothing yet: the context manager does when it is entered.

        Args:
            cores: number of cores of each node.
            system: Ray's internal settings.
        """
        self.mark = uuid.uuid4().hex
        self._cores = list(cores)
        self._system = dict(system)
        self._nodes: dict[int, Any] = {}
        self._cluster: Any = None
        self._directory = ""

    def __enter__(self) -> "FakeCluster":
        # A short path, because a socket's path may have 107 characters. An own one, because `ray start` notes its
        # address there, where `--address auto` looks.
        self._directory = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
        os.environ |= LOCAL_SETTINGS | {
            MARK: self.mark,
            "RAY_TMPDIR": self._directory,
            "RAY_AUTH_MODE": "disabled",
        }
        from ray.cluster_utils import Cluster  # after the settings: the import reads them

        head = self._settings(0) | {"_system_config": self._system}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        for number in range(len(self._cores)):
            self.start_node(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.shutdown()
        for leftover in self.processes():  # an error may have left some behind
            leftover.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def address(self) -> str:
        """HOST:PORT at which the cluster is joined."""
        return str(self._cluster.address)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the nodes that are running."""
        return sorted(self._nodes)

    def start_node(self, number: int) -> None:
        """Start that node; for a node that was killed, start another one in its place."""
        self._nodes[number] = self._cluster.add_node(**self._settings(self._cores[number]))

    def kill_node(self, number: int) -> None:
        """Kill the node's raylet with SIGKILL, and clear away the rest of the node."""
        node = self._nodes.pop(number)
        self.raylet(node).send_signal(signal.SIGKILL)
        self._cluster.remove_node(node, allow_graceful=False)

    def remove_node(self, number: int) -> None:
        """End a node in good order, as `ray stop` does."""
        self._cluster.remove_node(self._nodes.pop(number))

    def actors(self, *kinds: str) -> list[psutil.Process]:
        """Return the processes of the actors of those classes; without classes, of every actor of a run."""
        titles = tuple(f"ray::{kind}" for kind in kinds or ACTORS)
        return [process for process in self.processes() if _title(process).startswith(titles)]

    def output(self, process: psutil.Process) -> str:
        """Return the text that an actor has printed so far."""
        logs = Path(self._directory).glob(f"ray/session_*/logs/worker-*-{process.pid}.out")
        return "".join(log.read_text() for log in logs)

    def processes(self) -> Iterator[psutil.Process]:
        """Yield every process that carries this cluster's mark, except this process."""
        for process in psutil.process_iter():
            if process.pid != os.getpid() and is_marked(process, self.mark):
                yield process

    @staticmethod
    def raylet(node: Any) -> psutil.Process:
        """Return the raylet process of a node."""
        return psutil.Process(node.all_processes["raylet"][0].process.pid)

    def _settings(self, cores: int) -> dict[str, Any]:
        return {"num_cpus": cores, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}


def is_marked(process: psutil.Process, mark: str) -> bool:
    """Tell whether a process lives and carries that mark."""
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
