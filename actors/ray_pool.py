"""Ray: a cluster started or joined, the coordinator as an actor, a worker actor for each seat.

The only module that imports ray. Everything Ray would do by itself and we do better is switched off: no
restarts, no retries, no queueing for room that does not exist (see docs/design.md, 'Why the protocol is ours').
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors import environment, pinning
from actors.benchmarks.base import Benchmark
from actors.slots import Floor, Node, local_node
from sweeps.coordinator import Coordinator, Policy
from sweeps.errors import CoordinatorLost, UserError
from sweeps.factors import Catalogue
from sweeps.spec import Spec
from sweeps.status import Status
from sweeps.supervisor import Ended
from sweeps.task import Answer, Outcome, Part, Seat, Slot, Task

NAMESPACE: Final = "sweeps"
OBJECT_STORE_BYTES: Final = 200 * 2**20
"""Nothing big travels through Ray: rows and tasks only."""
PROBE_TIMEOUT_S: Final = 60.0
REFRESH_S: Final = 2.0
KNOCK_S: Final = 5.0
UNAVAILABLE_TRIES: Final = 5
"""A busy machine drops a connection now and then; Ray tells that from a dead actor."""
UNAVAILABLE_S: Final = 1.0
LOCAL_SETTINGS: Final = {
    "RAY_worker_niceness": "0",  # Ray's 15 would make every timing depend on what else the machine does
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a CPU actor must not see the node's GPUs
    "RAY_DISABLE_IMPORT_WARNING": "1",
}


@contextlib.contextmanager
def cluster(address: str) -> Iterator[str | None]:
    """Ray, started here for `local`, joined for `auto` or HOST:PORT; left or ended on the way out.

    Yields:
        The dashboard's address, or None where there is none.

    Raises:
        UserError: nothing to join there.
    """
    os.environ |= LOCAL_SETTINGS
    try:
        context = _start() if address == "local" else _join(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(
            f"--address {address}: no Ray to use there ({_first_line(error)}); start one with 'ray start --head', "
            "or leave --address out to have one started here"
        ) from error
    _protect_token()
    try:
        yield context.dashboard_url or None
    finally:
        ray.shutdown()


def _start() -> Any:
    """A Ray of our own on the loopback address; it dies with this process, however that dies."""
    return ray.init(
        address="local",  # else Ray joins one that runs here already, and refuses the rest of these arguments
        num_cpus=len(local_node().cores),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        _node_ip_address="127.0.0.1",
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level="error",
    )


def _join(address: str) -> Any:
    if address != "auto":
        _knock(address)
    return ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="error")


def _knock(address: str) -> None:
    """Ray itself waits minutes for an address where nobody listens.

    Raises:
        ConnectionError: nobody listens, or the address is none.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConnectionError("it is neither local, auto, inline nor HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
    except OSError as error:
        raise ConnectionError(f"nobody listens there: {error}") from error


def _protect_token() -> None:
    """Ray writes the token that lets anybody run code here world-readable."""
    token = Path.home() / ".ray" / "auth_token"
    with contextlib.suppress(OSError):
        token.chmod(0o600)


def nodes() -> list[Node]:
    """What every live node has, asked on the node itself."""
    probes = [_probe(entry) for entry in ray.nodes() if entry["Alive"]]
    return list(ray.get(probes, timeout=PROBE_TIMEOUT_S))


def _probe(entry: Mapping[str, Any]) -> Any:
    strategy = NodeAffinitySchedulingStrategy(entry["NodeID"], soft=False)
    offered_cores = int(entry["Resources"].get("CPU", 0))
    return _describe_node.options(scheduling_strategy=strategy).remote(entry["NodeID"], offered_cores)


_describe_node: Any = ray.remote(num_cpus=0, max_retries=0)(local_node)


def _coordinator_lost(error: BaseException) -> CoordinatorLost:
    return CoordinatorLost(
        f"the coordinator's process is gone ({_first_line(error)}); what it wrote is whole, the same command carries on"
    )


class RayCoordinator:
    """A coordinator behind its actor handle: the same methods, errors as themselves."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    @classmethod
    def start(cls, spec: Spec, catalogue: Catalogue, directory: Path, policy: Policy) -> "RayCoordinator":
        """As an actor on this node, where the run directory is."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(Coordinator).options(
            name=f"coordinator {spec.name} {os.getpid()}",
            num_cpus=0,
            scheduling_strategy=here,
            max_restarts=0,
        )
        return cls(actor.remote(spec, catalogue, directory, policy))

    def _call(self, method: str, *arguments: Any) -> Any:
        """Every method may be called twice: an answer that got lost is asked for again."""
        for tries_left in reversed(range(UNAVAILABLE_TRIES)):
            try:
                return ray.get(getattr(self.handle, method).remote(*arguments))
            except RayTaskError as error:
                raise error.cause from None
            except ActorUnavailableError as error:
                if not tries_left:
                    raise _coordinator_lost(error) from error
                time.sleep(UNAVAILABLE_S)
            except RayActorError as error:
                raise _coordinator_lost(error) from error
        raise AssertionError("unreachable")

    def open(self) -> None:
        self._call("open")

    def join(self, seat: Seat, content: dict[str, Any], environment_id: str) -> None:
        self._call("join", seat, content, environment_id)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        answer: Answer = self._call("exchange", worker_id, outcomes)
        return answer

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        self._call("deliver", worker_id, outcomes)

    def ship(self, task: Task) -> Part:
        part: Part = self._call("ship", task)
        return part

    def lost(self, worker_id: str, status: str, reason: str) -> int:
        return int(self._call("lost", worker_id, status, reason))

    def leave(self, worker_id: str) -> None:
        self._call("leave", worker_id)

    def reject(self, slot: Slot, status: str, reason: str) -> None:
        self._call("reject", slot, status, reason)

    def overdue(self) -> list[str]:
        return list(self._call("overdue"))

    def drain(self) -> None:
        self._call("drain")

    def tick(self) -> Status:
        status: Status = self._call("tick")
        return status

    def close(self) -> Status:
        """Flush and end the actor."""
        status: Status = self._call("close")
        ray.kill(self.handle)
        return status


class RayWorker:
    """A process that owns one seat; Ray's dashboard shows its name and repr."""

    def __init__(self, seat: Seat, node: Node) -> None:
        pinning.claim(seat)
        self._seat = seat
        self._node = node

    def __repr__(self) -> str:
        return f"{self._seat.device_name} [{self._seat.slot}]"

    def work(self, coordinator: Any, benchmarks: Mapping[str, Benchmark]) -> None:
        """Pull and run until nothing is left for this seat."""
        from actors.worker import Worker  # after the seat was claimed: this import may bring torch along

        worker = Worker(self._seat, benchmarks, environment.describe(self._node))
        worker.work(RayCoordinator(coordinator))


_RayWorker: Any = ray.remote(max_restarts=0, max_task_retries=0)(RayWorker)


@dataclass(frozen=True)
class _Member:
    worker_id: str
    slot: Slot
    actor: Any


class RayPool:
    """Worker actors on the seats of a cluster's nodes."""

    def __init__(self, coordinator: RayCoordinator, benchmarks: Mapping[str, Benchmark], known: list[Node]) -> None:
        self._coordinator = coordinator
        self._benchmarks = ray.put(dict(benchmarks))
        self._floor = Floor({node.node_id: node for node in known})
        self._members: dict[Any, _Member] = {}
        self._probes: dict[Any, str] = {}
        self._refreshed_s = time.monotonic()
        self._started = 0

    def never(self, slot: Slot) -> str | None:
        """Why no node that is there can offer `slot`; None too while a node that just came is being asked."""
        return None if self._probes else self._floor.never(slot)

    def start(self, slot: Slot) -> bool:
        """Start a worker actor on a free seat."""
        taken = self._floor.take(slot, f"{slot.device}-{self._started}")
        if taken is None:
            return False
        self._started += 1
        node, seat = taken
        actor = _RayWorker.options(
            name=f"{seat.device_class} {seat.worker_id} {os.getpid()}",
            num_cpus=slot.cores,
            num_gpus=slot.gpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
        ).remote(seat, node)
        reference = actor.work.remote(self._coordinator.handle, self._benchmarks)
        self._members[reference] = _Member(seat.worker_id, slot, actor)
        return True

    def alive(self, slot: Slot) -> int:
        """Workers of `slot` whose `work` has not returned."""
        return sum(member.slot == slot for member in self._members.values())

    def ended(self, timeout_s: float, pulse: Callable[[], object]) -> list[Ended]:
        """Workers whose `work` returned or died."""
        del pulse  # the workers run elsewhere, so the supervisor's own loop is pulse enough
        self._refresh_nodes()
        if not self._members:
            time.sleep(timeout_s)
            return []
        done, _ = ray.wait(list(self._members), num_returns=len(self._members), timeout=timeout_s)
        return [self._bury(reference) for reference in done]

    def kill(self, worker_id: str) -> None:
        """End the worker's process; `ended` tells of it."""
        for member in self._members.values():
            if member.worker_id == worker_id:
                ray.kill(member.actor)

    def close(self) -> None:
        """End every worker's process."""
        for member in self._members.values():
            ray.kill(member.actor)
        self._members.clear()

    def _bury(self, reference: Any) -> Ended:
        member = self._members.pop(reference)
        self._floor.release(member.worker_id)
        status, error = "worker_lost", None
        try:
            ray.get(reference)
        except OutOfMemoryError as problem:
            status, error = "oom_host", _first_line(problem)
        except RayTaskError as problem:
            error = f"{type(problem.cause).__name__}: {_first_line(problem.cause)}"
        except (ActorDiedError, ActorUnavailableError, RayError) as problem:
            error = _why_dead(problem)
        with contextlib.suppress(RayError):
            ray.kill(member.actor)
        return Ended(member.worker_id, member.slot, error, status)

    def _refresh_nodes(self) -> None:
        """Notice nodes that came or went, without waiting for either."""
        self._collect_probes()
        if time.monotonic() - self._refreshed_s < REFRESH_S:
            return
        self._refreshed_s = time.monotonic()
        alive = {entry["NodeID"]: entry for entry in ray.nodes() if entry["Alive"]}
        for node_id in set(self._floor.nodes) - set(alive):
            del self._floor.nodes[node_id]
        for node_id in set(alive) - set(self._floor.nodes) - set(self._probes.values()):
            self._probes[_probe(alive[node_id])] = node_id

    def _collect_probes(self) -> None:
        done, _ = ray.wait(list(self._probes), num_returns=len(self._probes), timeout=0) if self._probes else ([], [])
        for reference in done:
            del self._probes[reference]
            with contextlib.suppress(RayError, GetTimeoutError):  # gone again: the next refresh sees to it
                node = ray.get(reference)
                self._floor.nodes[node.node_id] = node


def _why_dead(error: BaseException) -> str:
    """What Ray knows of a dead actor, in a line: the cause stands behind a preamble of ids."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "unexpectedly" in line or "Error" in line or "exit" in line.lower()]
    return (telling or lines or [type(error).__name__])[-1][:500]


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
