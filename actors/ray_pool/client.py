"""The coordinator as a Ray actor, and its client, with the coordinator's methods and errors."""

import socket
import time
from collections.abc import Sequence
from typing import Any, Final

import ray
import ray.util.metrics
from ray.exceptions import ActorUnavailableError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.ray_pool import surroundings
from actors.ray_pool.ray_errors import ACTOR_DEATH_ERRORS, first_line, missing_module
from actors.ray_pool.runtime_env import raylet_environment, runtime_env
from sweeps.errors import CoordinatorLost, SweepsError, UserError
from sweeps.plan.declaration import Registry
from sweeps.plan.grid import Plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.task import Allocation, Answer, Outcome, Run, Slot, Task, TaskShard
from sweeps.view.prometheus import Metrics

COORDINATOR: Final = "coordinator "
"""Beginning of every coordinator's actor name, by which other processes find a run."""
UNAVAILABLE_TRIES: Final = 5
"""Number of tries of a call: a busy machine drops a connection now and then, which Ray tells from a dead actor."""
UNAVAILABLE_S: Final = 1.0
NO_TASK_EVENTS: Final = {"enable_task_events": False}
"""Options of calls that are made several times a second: they stay out of the dashboard's list of tasks."""


class RayCoordinator:
    """Client of a coordinator actor; raises the coordinator's own errors, and CoordinatorLost if the actor is gone."""

    def __init__(self, handle: Any, run: str = "") -> None:
        self.handle = handle
        self.run = run
        """Name of the run, unique in the cluster."""
        self._labels: dict[str, str] = {}

    @classmethod
    def start(
        cls, plan: Plan, registry: Registry, policy: Policy, devices_by_memory: Sequence[str] = ()
    ) -> "RayCoordinator":
        """Start the coordinator as an actor on this node, which has the run directory."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        run = f"{plan.spec.name} {ray.get_runtime_context().get_job_id()}"
        actor = ray.remote(Coordinator).options(
            name=COORDINATOR + run,
            num_cpus=0,
            scheduling_strategy=here,
            max_restarts=0,
            runtime_env=runtime_env(None, socket.gethostname(), surroundings.file_locations(raylet_environment())),
        )
        observer = Metrics(plan.spec.name, ray.util.metrics)
        return cls(actor.remote(plan, registry, policy, devices_by_memory, observer), run)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the coordinator; call it again if its answer got lost, which every method allows.

        Args:
            method: name of the method.
            arguments: of the method.
            options: Ray's options of the call, such as its name on the dashboard.
        """
        for tries_left in reversed(range(UNAVAILABLE_TRIES)):
            try:
                return ray.get(getattr(self.handle, method).options(**options).remote(*arguments))
            except RayTaskError as error:
                raise error.cause from None
            except ActorUnavailableError as error:
                if not tries_left:
                    raise _coordinator_lost(error) from error
                time.sleep(UNAVAILABLE_S)
            except ACTOR_DEATH_ERRORS as error:
                raise _coordinator_lost(error) from error
        raise AssertionError("unreachable")

    def open(self) -> None:
        self._call("open")

    def join(self, allocation: Allocation, content: dict[str, Any], environment_id: str) -> None:
        self._call("join", allocation, content, environment_id)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        done = [self._labels.pop(outcome.task_id, outcome.task_id) for outcome in outcomes]
        answer: Answer = self._call("exchange", worker_id, outcomes, name=_summarized(done) or "first task")
        if isinstance(answer, Run):
            self._labels = {
                lease.task.task_id: f"{lease.task.benchmark}: {lease.task.label}" for lease in answer.leases
            }
            # The dashboard shows the actor's log, and so the tasks that the worker runs now.
            print("\n".join(self._labels.values()), flush=True)
        return answer

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        self._call("deliver", worker_id, outcomes)

    def fetch(self, task: Task) -> TaskShard:
        shard: TaskShard = self._call("fetch", task)
        return shard

    def lost(self, worker_id: str, status: str, reason: str) -> int:
        return int(self._call("lost", worker_id, status, reason))

    def leave(self, worker_id: str) -> None:
        self._call("leave", worker_id)

    def reject(self, slot: Slot, status: str, reason: str) -> None:
        self._call("reject", slot, status, reason)

    def overdue(self) -> list[str]:
        return list(self._call("overdue", **NO_TASK_EVENTS))

    def wait_for(self, what: str) -> None:
        self._call("wait_for", what)

    def drain(self, notice: str) -> None:
        self._call("drain", notice)

    def tick(self) -> Status:
        status: Status = self._call("tick", **NO_TASK_EVENTS)
        return status

    def close(self) -> Status:
        """Flush and end the actor."""
        status: Status = self._call("close")
        ray.kill(self.handle)
        return status


def _coordinator_lost(error: BaseException) -> SweepsError:
    if problem := missing_module(error):
        return UserError(f"the coordinator cannot start: {problem}")
    return CoordinatorLost(
        f"the coordinator's process is gone ({first_line(error)}); the rows that it wrote are whole, "
        "the same command continues"
    )


def _summarized(names: Sequence[str]) -> str:
    """Return the first name, and the number of further names."""
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else "".join(names)
