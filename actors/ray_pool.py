"""Ray: a cluster started or joined, the coordinator as an actor, a worker actor for each seat.

The only module that imports ray. Everything Ray would do by itself and we do better is switched off: no
restarts, no retries, no queueing for room that does not exist (see docs/design.md, 'Why the protocol is ours').
"""

import contextlib
import functools
import os
import platform
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psutil
import ray
import ray.util.metrics
from ray.core.generated.gcs_pb2 import ActorTableData
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors import (
    environment,
    holders,
    interpreters,
    pinning,
    ray_address,
    ray_dashboard,
    ray_probe,
    ray_surroundings,
    ray_token,
)
from actors.benchmarks.base import Benchmark
from actors.holders import Placed
from actors.metrics import Metrics
from actors.ray_address import Place
from actors.slots import Floor, Node, local_node
from sweeps import interrupts
from sweeps.coordinator import Coordinator, Policy
from sweeps.errors import CoordinatorLost, UserError
from sweeps.factors import Catalogue
from sweeps.machines import Machines
from sweeps.plan import Plan
from sweeps.standing import Status
from sweeps.supervisor import Ended
from sweeps.task import Answer, Outcome, Part, Run, Seat, Slot, Task

NAMESPACE: Final = "sweeps"
COORDINATOR: Final = "coordinator "
"""Beginning of every coordinator's name, by which a run is found from outside."""
OBJECT_STORE_BYTES: Final = 200 * 2**20
"""Nothing big travels through Ray: rows and tasks only."""
PROBE_TIMEOUT_S: Final = 60.0
REFRESH_S: Final = 2.0
ANSWER_S: Final = 5.0
COMES_BACK_S: Final = 60.0
"""Time that a node that is gone has to come back: `start_node.sh` may be starting it again."""
UNAVAILABLE_TRIES: Final = 5
"""A busy machine drops a connection now and then; Ray tells that from a dead actor."""
UNAVAILABLE_S: Final = 1.0
DEATHS: Final = (RayActorError, OutOfMemoryError)
"""Errors by which Ray tells that an actor is gone; the second: Ray's own memory monitor killed it."""
UNSEEN: Final = {"enable_task_events": False}
"""For calls that come some times a second: the dashboard's list of tasks is for tasks."""
LOCAL_SETTINGS: Final = {
    "RAY_worker_niceness": "0",  # Ray's 15 would make every timing depend on what else the machine does
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a CPU actor must not see the node's GPUs
    "RAY_worker_killing_policy_by_group": "1",  # one worker where memory runs out, and not the coordinator with it
    "RAY_memory_monitor_refresh_ms": "1000",  # at 250 the gigabytes of a killed one still count: the next one goes too
    "RAY_grpc_enable_http_proxy": "0",  # nothing of Ray's goes out of the cluster, which no proxy knows
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # why a worker died is told in a line, not once more as a trace
}


@contextlib.contextmanager
def cluster(address: str) -> Iterator[list[str]]:
    """Ray, started here for `local`, joined for `auto` or HOST:PORT; left or ended on the way out.

    Yields:
        What the user should know of it, a line each.

    Raises:
        UserError: nothing to join there, or it cannot be started; one message, within seconds.
    """
    os.environ |= LOCAL_SETTINGS
    with _started() if address == "local" else _joined(ray_address.find(address)) as context:
        ray_token.protect()
        gcs = ray_address.parse(current_address(), f"--address {address}", "")
        asks = os.environ[ray_token.MODE] == ray_token.ON
        dashboard = ray_dashboard.line(context.dashboard_url, gcs, ray_token.held() if asks else None)
        yield [
            f"from another terminal: python -m sweeps.status --watch --address {gcs}",
            *filter(None, [dashboard, None if address == "local" else _unused_mask()]),
        ]


@contextlib.contextmanager
def visited(address: str) -> Iterator[str]:
    """A Ray that others started and use, to look at; left on the way out.

    Yields:
        HOST:PORT of it.

    Raises:
        UserError: nothing to look at there.
    """
    place = replace(ray_address.find(address), advice="nothing runs now, or it runs elsewhere: give its HOST:PORT")
    with _joined(place):
        yield current_address()


def current_address() -> str:
    """HOST:PORT of the Ray that this process is connected to."""
    return str(ray.get_runtime_context().gcs_address)


@contextlib.contextmanager
def _started() -> Iterator[Any]:
    """A Ray of our own on the loopback address; it dies with this process, however that dies."""
    here = local_node()
    mode = ray_token.mode_to_start()
    directory = ray_surroundings.directory()
    os.environ |= ray_surroundings.temporary(directory)
    os.environ |= ray_surroundings.unproxied(())
    logs = f"its logs are in {directory}/ray/session_latest/logs"
    start = functools.partial(
        ray.init,
        address="local",  # else Ray joins one that runs here already, and refuses the rest of these arguments
        num_cpus=len(here.cores),
        num_gpus=len(here.gpus),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        _node_ip_address="127.0.0.1",
    )
    with _connected(start, mode, "--address local: Ray did not start here", logs) as context:
        yield context


@contextlib.contextmanager
def _joined(place: Place) -> Iterator[Any]:
    mode = ray_token.agree(place)
    os.environ |= ray_surroundings.unproxied([place.host, *ray_surroundings.own_hosts()])
    join = functools.partial(ray.init, address=str(place))
    with _connected(join, mode, f"{place.source}: the Ray there cannot be joined", place.advice) as context:
        yield context


@contextlib.contextmanager
def _connected(connect: Callable[..., Any], mode: str, problem: str, advice: str) -> Iterator[Any]:
    users = [name for name in os.environ if name not in (*LOCAL_SETTINGS, ray_token.MODE, ray_surroundings.TMPDIR)]
    os.environ[ray_token.MODE] = mode
    ray._raylet.Config.initialize("")  # reads the mode again
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()
    # Only where our packages are, and not the directory of the command, which Ray would put before all else:
    # a `models.py` there would be taken for ours.
    job = JobConfig(_client_job=True, _py_driver_sys_path=interpreters.own_directories())
    try:
        with interrupts.restored():
            context = connect(job_config=job, namespace=NAMESPACE, log_to_driver=False, logging_level="error")
    except SystemExit as end:  # Ray's way of ending at SIGTERM
        raise KeyboardInterrupt from end
    except (RayError, OSError, RuntimeError, ValueError, ImportError) as error:
        raise UserError(f"{problem} ({_in_a_line(error)}); {advice}{ray_surroundings.reminder(users)}") from error
    try:
        yield context
    finally:
        ray.shutdown()


def _unused_mask() -> str | None:
    """That a mask of GPUs has no effect here, if there is one; inside a job it is Ray's own."""
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not mask or "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return None
    return f"CUDA_VISIBLE_DEVICES={mask} has no effect here: the GPUs are those that Ray was started with"


def nodes() -> list[Node]:
    """Ask every live node what it has, on the node itself; a node that turns out to be dead is left out.

    Raises:
        UserError: a node does not answer.
    """
    probes = [(entry["NodeManagerHostname"], _probe(entry)) for entry in ray.nodes() if entry["Alive"]]
    answers = []
    for host, probe in probes:
        try:
            answers.append(ray.get(probe, timeout=PROBE_TIMEOUT_S))
        except GetTimeoutError as error:
            raise UserError(f"node {host} does not say within {PROBE_TIMEOUT_S:g} s what it has; restart it") from error
        except RayError:  # killed some seconds ago, and Ray did not know yet
            continue
    return answers


def _probe(entry: Mapping[str, Any]) -> Any:
    strategy = NodeAffinitySchedulingStrategy(entry["NodeID"], soft=False)
    offered_cores = int(entry["Resources"].get("CPU", 0))
    return _describe_node.options(scheduling_strategy=strategy).remote(entry["NodeID"], offered_cores)


def _look_around(node_id: str, offered_cores: int) -> Node:
    """With the GPUs of the raylet, whose environment this process began with: Ray then hides them from this task."""
    began_with = psutil.Process().environ()
    node = replace(local_node(node_id, offered_cores, began_with), files=ray_surroundings.files(began_with))
    return replace(node, environment_id=environment.describe(node)[1])


_describe_node: Any = ray.remote(num_cpus=0, max_retries=0)(_look_around)


def _coordinator_lost(error: BaseException) -> CoordinatorLost:
    return CoordinatorLost(
        f"the coordinator's process is gone ({_first_line(error)}); what it wrote is whole, the same command carries on"
    )


class RayCoordinator:
    """A coordinator behind its actor handle: the same methods, errors as themselves."""

    def __init__(self, handle: Any, run: str = "") -> None:
        self.handle = handle
        self.run = run
        """The name of what it coordinates, unique in the cluster."""
        self._labels: dict[str, str] = {}

    @classmethod
    def start(cls, plan: Plan, catalogue: Catalogue, policy: Policy) -> "RayCoordinator":
        """Start the coordinator as an actor on this node, where the run directory is."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        run = f"{plan.spec.name} {ray.get_runtime_context().get_job_id()}"
        actor = ray.remote(Coordinator).options(
            name=COORDINATOR + run,
            num_cpus=0,
            scheduling_strategy=here,
            max_restarts=0,
            runtime_env=_runtime_env(None, socket.gethostname(), ray_surroundings.files(_raylet_environment())),
        )
        observer = Metrics(plan.spec.name, ray.util.metrics)
        return cls(actor.remote(plan, catalogue, policy, observer), run)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Every method may be called twice: an answer that got lost is asked for again.

        `options` say how the dashboard is to show the call.
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
            except DEATHS as error:
                raise _coordinator_lost(error) from error
        raise AssertionError("unreachable")

    def open(self) -> None:
        self._call("open")

    def join(self, seat: Seat, content: dict[str, Any], environment_id: str) -> None:
        self._call("join", seat, content, environment_id)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        done = [self._labels.pop(outcome.task_id, outcome.task_id) for outcome in outcomes]
        answer: Answer = self._call("exchange", worker_id, outcomes, name=_several(done) or "first task")
        if isinstance(answer, Run):
            self._labels = {
                lease.task.task_id: f"{lease.task.benchmark}: {lease.task.label}" for lease in answer.leases
            }
            # Into the actor's log, which the dashboard shows: what it is at now.
            print("\n".join(self._labels.values()), flush=True)
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
        return list(self._call("overdue", **UNSEEN))

    def wait_for(self, what: str) -> None:
        self._call("wait_for", what)

    def drain(self, notice: str) -> None:
        self._call("drain", notice)

    def tick(self) -> Status:
        status: Status = self._call("tick", **UNSEEN)
        return status

    def close(self) -> Status:
        """Flush and end the actor."""
        status: Status = self._call("close")
        ray.kill(self.handle)
        return status


def is_there() -> bool:
    """Tell whether the Ray that this process is connected to still runs."""
    gcs = ray_address.parse(current_address(), "", "")
    try:
        ray_probe.knock(gcs.host, gcs.port)
    except ray_probe.Nobody:
        return False
    return True


def standings() -> dict[str, Status | None]:
    """Status of each run of the cluster, by name; None for a run that does not answer in time."""
    if not is_there():  # a Ray that a run started ends with it; asked, it would not answer, nor let go
        return {}
    asked = {}
    for name in sorted(ray.util.list_named_actors()):
        if name.startswith(COORDINATOR):
            with contextlib.suppress(ValueError):  # it ended since it was listed
                asked[name] = ray.get_actor(name).status.options(**UNSEEN).remote()
    ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_S) if asked else None
    statuses: dict[str, Status | None] = {}
    for name, reference in asked.items():
        with contextlib.suppress(*DEATHS):  # it ended since it was asked
            statuses[name.removeprefix(COORDINATOR)] = _answer(reference)
    return statuses


def _answer(reference: Any) -> Status | None:
    try:
        status: Status = ray.get(reference, timeout=0)
    except GetTimeoutError:
        return None
    return status


def _several(names: Sequence[str]) -> str:
    """The first of them, and how many more."""
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else "".join(names)


class RayWorker:
    """A process that owns one seat; Ray's dashboard shows its name and repr."""

    def __init__(self, seat: Seat, node: Node, coordinator: Any, benchmarks: Mapping[str, Benchmark]) -> None:
        pinning.claim(seat)
        from actors.worker import Worker  # after the seat was claimed: this import may bring torch along

        self._seat = seat
        self._coordinator = RayCoordinator(coordinator)
        self._worker = Worker(seat, benchmarks, environment.describe(node))
        self._first = self._worker.begin(self._coordinator)

    def __repr__(self) -> str:
        """Ray asks once, after the start: so it is the first task's model that stands beside the device."""
        model = self._first.leases[0].task.model if isinstance(self._first, Run) else ""
        return f"{self._seat.device_name} [{self._seat.slot}] {model}".rstrip()

    def work(self) -> None:
        """Pull and run until nothing is left for this seat."""
        self._worker.work(self._coordinator, self._first)


_RayWorker: Any = ray.remote(max_restarts=0, max_task_retries=0)(RayWorker)


def _runtime_env(python: str | None, host: str, files: Mapping[str, str]) -> dict[str, Any] | None:
    """Interpreter and variables that Ray would not give an actor by itself; None: no others, which is quicker."""
    variables = ray_surroundings.differing(host, files, ray_surroundings.files())
    wanted: dict[str, Any] = {"env_vars": variables} if variables else {}
    if python:
        wanted["py_executable"] = shlex.quote(python)  # Ray puts it into a shell's command line as it is
    return wanted or None


def _raylet_environment() -> Mapping[str, str]:
    """Environment of the raylet on this node, which its actors get; our own where the raylet's cannot be read."""
    socket_name = ray._private.worker.global_worker.node.raylet_socket_name
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "raylet" and any(socket_name in word for word in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.Error):
                return process.environ()
    return os.environ


@dataclass(frozen=True)
class _Member:
    worker_id: str
    slot: Slot
    node_id: str
    actor: Any


@dataclass(frozen=True)
class _Probe:
    """A node that came while the sweep runs, and was asked what it has."""

    node_id: str
    host: str
    asked_s: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        """True while an answer is waited for. The wait ends: a box whose Python does not start never answers."""
        return time.monotonic() - self.asked_s < PROBE_TIMEOUT_S


class _Trials:
    """Interpreters that are tried before a worker starts with one: once a node, on the node, while others work."""

    def __init__(self) -> None:
        self._needed = interpreters.Versions(ray.__version__, platform.python_version())
        self._under_way: dict[Any, tuple[str, str]] = {}
        self._passed: set[tuple[str, str]] = set()

    def passed(self, node_id: str, python: str) -> bool:
        """Tell whether workers can start with `python` on a node; begin its trial, and say False until it ended."""
        if (node_id, python) in self._passed:
            return True
        if (node_id, python) not in self._under_way.values():
            there = NodeAffinitySchedulingStrategy(node_id, soft=False)
            trial = _try_interpreter.options(scheduling_strategy=there).remote(
                python, self._needed, interpreters.own_directories()
            )
            self._under_way[trial] = node_id, python
        return False

    def failed(self) -> list[tuple[str, str, str]]:
        """Node, interpreter and reason of each that was found not to do since this was last asked."""
        under_way = list(self._under_way)
        done, _ = ray.wait(under_way, num_returns=len(under_way), timeout=0) if under_way else ([], [])
        failures = []
        for trial in done:
            node_id, python = self._under_way.pop(trial)
            try:
                problem = ray.get(trial)
            except RayError as error:
                problem = f"it could not be tried: {_first_line(error)}"
            if problem is None:
                self._passed.add((node_id, python))
            else:
                failures.append((node_id, python, problem))
        return failures

    def close(self) -> None:
        """Stop what is under way."""
        for trial in self._under_way:
            ray.cancel(trial)


_try_interpreter: Any = ray.remote(num_cpus=0, max_retries=2)(interpreters.problem)


class RayPool:
    """Worker actors on the seats of a cluster's nodes."""

    def __init__(
        self,
        coordinator: RayCoordinator,
        benchmarks: Mapping[str, Benchmark],
        known: list[Node],
        machines: Machines | None = None,
    ) -> None:
        self._coordinator = coordinator
        self._benchmarks = ray.put(dict(benchmarks))
        self._floor = Floor({node.node_id: node for node in known}, machines or Machines())
        self._trials = _Trials()
        self._members: dict[Any, _Member] = {}
        self._probes: dict[Any, _Probe] = {}
        self._gone: dict[str, tuple[Node, float]] = {}
        self._refreshed_s = self._asked_s = time.monotonic()
        self._waiting_for = ""
        self._started = 0

    def never(self, slot: Slot) -> str | None:
        """Reason why no node can offer `slot`; None where a node can, or where one that could may still come (back)."""
        reason = self._floor.never(slot)
        if reason:
            self._look_for_nodes()  # one may have come a moment ago
        if reason is None or any(probe.is_fresh for probe in self._probes.values()):
            return None
        silent = [probe.host for probe in self._probes.values()]
        if silent:
            reason = f"{reason}; not known is what {', '.join(silent)} has, which does not answer: restart Ray there"
        gone_s = [since_s for node, since_s in self._gone.values() if Floor({node.node_id: node}).never(slot) is None]
        if not gone_s:
            return reason
        if time.monotonic() - max(gone_s) < COMES_BACK_S:
            return None
        return f"{reason}; a node that could is gone and did not come back within {COMES_BACK_S:g} s"

    def start(self, slot: Slot) -> bool:
        """Start a worker actor on a free seat; not yet, while its interpreter is being tried."""
        taken = self._floor.take(slot, f"{slot.device}-{self._started}")
        if taken is None:
            return False
        node, seat = taken
        python = self._floor.python(seat)
        if python and not self._trials.passed(node.node_id, python):
            self._floor.release(seat.worker_id)
            return False
        self._started += 1
        actor = _RayWorker.options(
            name=f"{seat.device_class} {seat.worker_id} {self._coordinator.run}",
            num_cpus=slot.cores,
            num_gpus=slot.gpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
            runtime_env=_runtime_env(python, node.host, node.files),
        ).remote(seat, node, self._coordinator.handle, self._benchmarks)
        reference = actor.work.remote()
        self._members[reference] = _Member(seat.worker_id, slot, node.node_id, actor)
        return True

    def alive(self, slot: Slot) -> int:
        """Workers of `slot` whose `work` has not returned."""
        return sum(member.slot == slot for member in self._members.values())

    def ended(self, timeout_s: float, pulse: Callable[[], object]) -> list[Ended]:
        """Workers whose `work` returned or died."""
        del pulse  # the workers run elsewhere, so the supervisor's own loop is pulse enough
        self._refresh_nodes()
        self._bar_failed()
        self._tell_waiting()
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
        self._trials.close()
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
        node_gone = error is not None and _is_gone(member.node_id)
        if node_gone:
            self._part_with(member.node_id)
        return Ended(member.worker_id, member.slot, error, status, node_gone)

    def _refresh_nodes(self) -> None:
        """Notice nodes that came or went, without waiting for either."""
        self._collect_probes()
        if time.monotonic() - self._refreshed_s >= REFRESH_S:
            self._look_for_nodes()

    def _look_for_nodes(self) -> None:
        self._refreshed_s = time.monotonic()
        alive = {entry["NodeID"]: entry for entry in ray.nodes() if entry["Alive"]}
        for node_id in set(self._floor.nodes) - set(alive):
            self._part_with(node_id)
        asked = {probe.node_id for probe in self._probes.values()}
        for node_id in set(alive) - set(self._floor.nodes) - asked - set(self._gone):
            self._probes[_probe(alive[node_id])] = _Probe(node_id, alive[node_id]["NodeManagerHostname"])

    def _tell_waiting(self) -> None:
        """Have the coordinator know of workers for which Ray has no place: another run is at work there."""
        if time.monotonic() - self._asked_s < REFRESH_S:
            return
        self._asked_s = time.monotonic()
        pending = _actors("PENDING_CREATION", ray.get_runtime_context().get_job_id())
        members = [member for member in self._members.values() if member.actor._actor_id.hex() in pending]
        free = ray._private.state.available_resources_per_node() if members else {}
        waiting = [member for member in members if _lacks(member.slot, free.get(member.node_id, {}))]
        text = ""
        if waiting:
            node_ids = {member.node_id for member in waiting}
            placed = [actor for actor in _actors("ALIVE").values() if actor.node_id in node_ids]
            text = holders.sentence([member.slot for member in waiting], placed, self._coordinator.run)
        if text != self._waiting_for:
            self._waiting_for = text
            self._coordinator.wait_for(text)

    def _bar_failed(self) -> None:
        """Offer no device any more whose interpreter does not do."""
        for node_id, python, problem in self._trials.failed():
            if node := self._floor.nodes.get(node_id):
                file = self._floor.machines.file
                reason = f"{file} has workers there start with {python}, which does not do on {node.host}: {problem}"
                self._floor.bar(node_id, python, f"{reason} (docs/clusters.md, 'Interpreters')")

    def _part_with(self, node_id: str) -> None:
        """No more workers there; a node that comes back has another id."""
        if node := self._floor.nodes.pop(node_id, None):
            self._gone[node_id] = (node, time.monotonic())

    def _collect_probes(self) -> None:
        done, _ = ray.wait(list(self._probes), num_returns=len(self._probes), timeout=0) if self._probes else ([], [])
        for reference in done:
            del self._probes[reference]
            with contextlib.suppress(RayError, GetTimeoutError):  # gone again: the next refresh sees to it
                node = ray.get(reference)
                self._floor.nodes[node.node_id] = node


def _actors(state: str, job_id: str | None = None) -> dict[str, Placed]:
    """Actors of the cluster in a state, by id; `ray.util.state` would need the dashboard, which not every Ray has."""
    accessor = ray._private.state.state._connect_and_get_accessor()
    found = {}
    for text in accessor.get_actor_table(job_id and ray.JobID(bytes.fromhex(job_id)), state):
        actor = ActorTableData.FromString(text)
        is_ours = actor.class_name == RayWorker.__name__ and actor.ray_namespace == NAMESPACE
        other = f"{actor.class_name.rpartition('.')[2]} of job {actor.job_id.hex()}"
        holder = actor.name.split(" ", 2)[-1] if is_ours else other
        found[actor.actor_id.hex()] = Placed(holder, actor.address.node_id.hex(), dict(actor.required_resources))
    return found


def _lacks(slot: Slot, free: Mapping[str, float]) -> bool:
    """Tell whether a node has fewer free cores or GPUs than a slot takes."""
    return free.get("CPU", 0) < slot.cores or free.get("GPU", 0) < slot.gpus


def _is_gone(node_id: str) -> bool:
    """Tell whether a node is dead: Ray says so, or nobody listens there, which Ray notices some 15 s later."""
    entry = next((entry for entry in ray.nodes() if entry["NodeID"] == node_id), None)
    if entry is None or not entry["Alive"]:
        return True
    try:
        socket.create_connection(
            (entry["NodeManagerAddress"], entry["NodeManagerPort"]), timeout=ray_probe.KNOCK_S
        ).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # slow or cut off, and perhaps back in a moment: that is for Ray to judge
        return False
    return False


def _why_dead(error: BaseException) -> str:
    """Cause of an actor's death, in a line; in Ray's message it stands behind a preamble of ids."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "unexpectedly" in line or "Error" in line or "exit" in line.lower()]
    return (telling or lines or [type(error).__name__])[-1][:500]


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _in_a_line(error: BaseException) -> str:
    """All that an error says, for those whose first line only announces it."""
    return " ".join(str(error).split())[:500].rstrip(". ") or type(error).__name__
