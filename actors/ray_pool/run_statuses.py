"""Statuses of the runs of a cluster, requested from their coordinators by name."""

import contextlib
from typing import Any, Final

import ray
from ray.exceptions import GetTimeoutError

from actors.ray_pool.client import COORDINATOR, NO_TASK_EVENTS
from actors.ray_pool.cluster import is_running
from actors.ray_pool.ray_errors import ACTOR_DEATH_ERRORS
from sweeps.schedule.run_status import Status

STATUS_TIMEOUT_S: Final = 5.0


def run_statuses() -> dict[str, Status | None]:
    """Return the status of each run of the cluster, by name; None for a run that does not answer in time."""
    if not is_running():  # a Ray that a run started ends with the run; a call to it would hang
        return {}
    asked = {}
    for name in sorted(ray.util.list_named_actors()):
        if name.startswith(COORDINATOR):
            with contextlib.suppress(ValueError):  # the run ended since it was listed
                asked[name] = ray.get_actor(name).status.options(**NO_TASK_EVENTS).remote()
    ray.wait(list(asked.values()), num_returns=len(asked), timeout=STATUS_TIMEOUT_S) if asked else None
    statuses: dict[str, Status | None] = {}
    for name, reference in asked.items():
        with contextlib.suppress(*ACTOR_DEATH_ERRORS):  # the run ended since its coordinator was called
            statuses[name.removeprefix(COORDINATOR)] = _answer(reference)
    return statuses


def _answer(reference: Any) -> Status | None:
    try:
        status: Status = ray.get(reference, timeout=0)
    except GetTimeoutError:
        return None
    return status
