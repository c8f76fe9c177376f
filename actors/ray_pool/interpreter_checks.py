"""Checks whether workers can start with an interpreter of machines.toml: once on each node, while other workers run."""

import platform
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.checks import interpreters
from actors.ray_pool.ray_errors import first_line


@dataclass(frozen=True)
class FailedCheck:
    """An interpreter with which no worker can start on a node, and the reason."""

    node_id: str
    python: str
    reason: str


class InterpreterChecks:
    """Checks of every pair of node and interpreter with which a worker was to start."""

    def __init__(self) -> None:
        self._needed = interpreters.Versions(ray.__version__, platform.python_version())
        self._under_way: dict[Any, tuple[str, str]] = {}
        self._ready: set[tuple[str, str]] = set()

    def is_ready(self, node_id: str, python: str) -> bool:
        """Tell whether workers can start with `python` on a node; the first call begins the check."""
        if (node_id, python) in self._ready:
            return True
        if (node_id, python) not in self._under_way.values():
            there = NodeAffinitySchedulingStrategy(node_id, soft=False)
            check = _check_interpreter.options(scheduling_strategy=there).remote(
                python, self._needed, interpreters.own_directories()
            )
            self._under_way[check] = node_id, python
        return False

    def new_failures(self) -> list[FailedCheck]:
        """Return the checks that failed since the last call."""
        under_way = list(self._under_way)
        done, _ = ray.wait(under_way, num_returns=len(under_way), timeout=0) if under_way else ([], [])
        failures = []
        for check in done:
            node_id, python = self._under_way.pop(check)
            try:
                problem = ray.get(check)
            except RayError as error:
                problem = f"it could not be checked: {first_line(error)}"
            if problem is None:
                self._ready.add((node_id, python))
            else:
                failures.append(FailedCheck(node_id, python, problem))
        return failures

    def close(self) -> None:
        """Cancel the checks that are under way."""
        for check in self._under_way:
            ray.cancel(check)


_check_interpreter: Any = ray.remote(num_cpus=0, max_retries=2)(interpreters.check_interpreter)
