"""Faults from outside: nodes, processes, memory, disk and clock fail while the real command runs.

What happens inside a task is in test_faults.py, a single worker's end in test_ray_pool.py, interrupts in
test_survival.py. Each scenario on Ray is a process of its own (this file as a script) with a cluster of its own.
"""

import contextlib
import datetime
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as ds
import pytest

from actors.benchmarks.base import OneTaskPerCell
from actors.devices.nodes import Node, local_node
from actors.inline_pool import InlinePool
from actors.ray_pool import client, node_watch
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.cluster import cluster
from actors.ray_pool.nodes import cluster_nodes
from actors.ray_pool.pool import RayPool
from actors.ray_pool.ray_errors import ACTOR_DEATH_ERRORS
from bench.chaos import until
from bench.nodes import FakeCluster
from sweeps.errors import CoordinatorLost
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.protocol import WorkerExit
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.schema import COLUMNS
from sweeps.store import run_directory
from sweeps.task import Allocation, Row, Slot
from tests.fakes import REGISTRY, FaultyFactors, faulty_spec
from tests.sweeps.schedule.test_supervisor import TablePool

TASKS = 60
SPEC = """
name = "hard"
[[sweep]]
name = "s"
benchmark = "noop"
iterations = 1
warmup = 0
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
wait_s = [{wait_s}]
index = {index}
"""
GIB = 2**30
HEADROOM_BYTES = 3 * GIB
"""Memory for Ray, its neighbours on this machine and the greedy worker before the memory monitor may kill."""
GREED_BYTES = 2 * HEADROOM_BYTES


def write_spec(directory: Path, tasks: int = TASKS, wait_s: float = 0.0) -> None:
    (directory / "hard.toml").write_text(SPEC.format(wait_s=wait_s, index=list(range(tasks))))


def start(directory: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The command, as a user gives it."""
    command = [sys.executable, "-m", "sweeps.run", "hard.toml", *arguments]
    return subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    assert "Traceback" not in output, output
    return process.returncode, output


def parts(directory: Path) -> list[Path]:
    return sorted(directory.glob("**/s/part-*.parquet"))


def rows(directory: Path) -> list[Row]:
    found: list[Row] = ds.dataset(parts(directory)).to_table().to_pylist() if parts(directory) else []
    return found


def check_whole(directory: Path, tasks: int = TASKS) -> None:
    """Every task is there, each once, each ok."""
    assert Counter(row["index"] for row in rows(directory)) == Counter(range(tasks))
    assert {row["status"] for row in rows(directory)} == {"ok"}


def nodes_come_and_go(directory: Path) -> None:
    """Use Ray's own settings, by which a dead node is alive for another fifteen seconds."""
    write_spec(directory, wait_s=0.5)
    with FakeCluster([1, 1], system={}) as cluster:
        run = start(directory, "--address", cluster.address)
        until(lambda: bool(parts(directory)), "a part")
        cluster.kill_node(0)
        seen = len(rows(directory))
        until(lambda: len(rows(directory)) > seen + 2, "rows of the other node")
        cluster.remove_node(1)  # now nobody is there who could go on
        cluster.start_node(0)
        code, output = finish(run)
        assert code == 0, output
        check_whole(directory)
        assert len({row["worker_id"] for row in rows(directory)}) >= 3
        until(lambda: not cluster.actors(), "the end of every process of the run")


def coordinator_then_driver(directory: Path) -> None:
    write_spec(directory, wait_s=0.3)
    with FakeCluster([2]) as cluster:
        run = start(directory, "--address", cluster.address)
        until(lambda: bool(parts(directory)), "a part")
        (coordinator,) = cluster.actors("Coordinator")
        kept = {row["task_id"] for row in rows(directory)}
        coordinator.kill()
        code, output = finish(run)
        assert code == 1, output
        assert "the same command continues" in output
        until(lambda: not cluster.actors(), "the end of every process of the first run")
        assert kept <= {row["task_id"] for row in rows(directory)}
        run, before = start(directory, "--address", cluster.address), len(parts(directory))
        until(lambda: len(parts(directory)) > before, "a part of the second run")
        run.kill()
        run.communicate(timeout=60)
        until(lambda: not cluster.actors(), "the end of every process of the second run")
        code, output = finish(start(directory, "--address", cluster.address))
        assert code == 0, output
        check_whole(directory)


def a_worker_that_nothing_reaches(directory: Path) -> None:
    """Stopped as a whole, as a process in a driver's call is: not even its exit handlers run."""
    write_spec(directory, tasks=12, wait_s=0.5)
    with FakeCluster([2]) as cluster:
        run = start(directory, "--address", cluster.address, "--timeout-s", "3")
        until(lambda: bool(parts(directory)), "a part")
        stopped = cluster.actors("RayWorker")[0]
        stopped.send_signal(signal.SIGSTOP)
        code, output = finish(run)
        assert code == 0, output
        assert "over its time limit" in output
        check_whole(directory, tasks=12)
        assert Counter(row["attempt"] for row in rows(directory)) == {1: 11, 2: 1}
        until(lambda: not cluster.actors(), "the end of the stopped process too")


class Greedy(OneTaskPerCell):
    """A noop that takes host memory until somebody stops it."""

    factors = FaultyFactors
    columns = COLUMNS["noop"]
    resource_kind = None
    load_factors = ()

    def load(self, factors: Any, devices: tuple[str, ...]) -> None:
        pass

    def unload(self, held: None) -> None:
        pass

    def rows(self, held: None, task: Any, factors: FaultyFactors) -> Iterator[Row]:
        if factors.index == 1:
            taken = [b"x" * (64 * 2**20) for _ in range(GREED_BYTES // (64 * 2**20))]
            time.sleep(3600 * len(taken))
        yield {}


def out_of_host_memory(directory: Path) -> None:
    """Run out of memory in a Ray that was started here: it must kill the greedy worker, not the coordinator."""
    from ray._common.utils import get_system_memory
    from ray._private.utils import get_used_memory

    threshold = (get_used_memory() + HEADROOM_BYTES) / get_system_memory()
    os.environ |= {"RAY_memory_usage_threshold": f"{threshold:.4f}"}
    registry: dict[str, Any] = {"noop": Greedy()}
    policy = Policy(timeout_s=60.0)
    with cluster("local"):
        coordinator = RayCoordinator.start(
            make_plan(faulty_spec(index=[0, 1, 2]), registry, directory / "hard"),
            registry,
            policy,
        )
        coordinator.open()
        (node,) = cluster_nodes()
        one_core = Node(node.node_id, node.host, node.cpu_name, node.cores[:1])
        pool = RayPool(coordinator, registry, [one_core])
        Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
        pool.close()
        coordinator.close()
    statuses = {row["index"]: (row["status"], row["error_message"]) for row in rows(directory)}
    assert {index: status for index, (status, _) in statuses.items()} == {0: "ok", 1: "oom_host", 2: "ok"}, statuses
    assert "memory" in statuses[1][1]


SCENARIOS: dict[str, Callable[[Path], None]] = {
    scenario.__name__: scenario
    for scenario in (nodes_come_and_go, coordinator_then_driver, a_worker_that_nothing_reaches, out_of_host_memory)
}


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_on_a_cluster_of_its_own(scenario: str, tmp_path: Path) -> None:
    if scenario == "out_of_host_memory" and psutil.virtual_memory().available < 2 * GREED_BYTES:
        pytest.skip("too little memory to take some on purpose")
    answer = subprocess.run(
        [sys.executable, "-m", "tests.test_hard_faults", scenario, str(tmp_path)],
        env=os.environ | {"RAY_ADDRESS": ""},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-5000:]


class _Dead:
    """The handle of an actor that is no more."""

    def __getattr__(self, name: str) -> "_Dead":
        return self

    def __call__(self, *arguments: object, **options: object) -> "_Dead":
        return self


@pytest.mark.parametrize("error", ACTOR_DEATH_ERRORS)
def test_a_coordinator_that_is_gone_is_told_so_however_ray_puts_it(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(_reference: object) -> None:
        raise error("killed")

    monkeypatch.setattr(client.ray, "get", get)
    with pytest.raises(CoordinatorLost, match=r"the coordinator's process is gone .*, the same command continues"):
        RayCoordinator(_Dead()).tick()


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_what_only_a_node_that_went_could_offer_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = RayCoordinator.start(make_plan(faulty_spec(), REGISTRY, tmp_path), REGISTRY, Policy())
    wide = Slot("cpu", 0, 1000)
    ghost = Node("0" * 56, "ghost", "a CPU", tuple(range(1000)))
    pool = RayPool(coordinator, REGISTRY, [*cluster_nodes(), ghost])
    monkeypatch.setattr(node_watch, "REFRESH_S", 0.0)
    pool.reap(0.0, lambda: None)
    assert not pool.start(wide), "it is known to be gone"
    assert pool.infeasible(wide) is None
    assert "no node can offer" in str(pool.infeasible(Slot("cpu", 0, 1001))), "nor could it when it was there"
    monkeypatch.setattr(node_watch, "NODE_RETURN_TIMEOUT_S", 0.0)
    assert "did not come back" in str(pool.infeasible(wide))
    coordinator.close()


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_box_that_joins_and_never_says_what_it_has_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    coordinator = RayCoordinator.start(make_plan(faulty_spec(), REGISTRY, tmp_path), REGISTRY, Policy())
    pool = RayPool(coordinator, REGISTRY, [])
    monkeypatch.setattr(node_watch, "REFRESH_S", 0.0)
    silence = ray.remote(num_cpus=1000)(lambda: None).remote()  # never starts, so never answers
    monkeypatch.setattr(node_watch, "start_probe", lambda entry: silence)
    pool.reap(0.0, lambda: None)
    assert pool.infeasible(Slot("cpu", 0, 1)) is None, "it may still say that it has one"
    monkeypatch.setattr(node_watch, "PROBE_TIMEOUT_S", 0.0)
    assert "because it does not answer: restart Ray there" in str(pool.infeasible(Slot("cpu", 0, 1)))
    ray.cancel(silence, force=True)
    coordinator.close()


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_node_of_whose_death_ray_does_not_know_yet_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    entries = ray.nodes()
    monkeypatch.setattr(ray, "nodes", lambda: [{**entries[0], "NodeID": "a" * 56}, *entries])
    assert [node.node_id for node in cluster_nodes()] == [entry["NodeID"] for entry in entries]


def supervise(coordinator: Coordinator, pool: TablePool) -> Counter[str]:
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    return Counter(coordinator.close().counts)


def open_table(
    directory: Path, fate: Callable[[int], tuple[int, bool]], allocations: int = 1
) -> tuple[Coordinator, TablePool]:
    coordinator = Coordinator(make_plan(faulty_spec(index=list(range(9))), REGISTRY, directory), REGISTRY, Policy())
    coordinator.open()
    return coordinator, TablePool(coordinator, allocations, fate)


def test_what_was_offered_once_is_lost_and_not_unsupported(tmp_path: Path) -> None:
    def fate(_number: int) -> tuple[int, bool]:
        pool.impossible[Slot("cpu", 0, 1)] = "its node is gone"
        return 2, True

    coordinator, pool = open_table(tmp_path, fate)
    assert supervise(coordinator, pool) == {"ok": 2, "worker_lost": 7}


def test_workers_that_go_down_with_their_nodes_are_no_false_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator, pool = open_table(tmp_path, lambda number: (-1, True) if number < 10 else (1000, False))
    reap = pool.reap

    def with_their_nodes(timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        return [
            WorkerExit(e.worker_id, e.slot, e.error, e.status, node_gone=bool(e.error)) for e in reap(timeout_s, tick)
        ]

    monkeypatch.setattr(pool, "reap", with_their_nodes)
    assert supervise(coordinator, pool) == {"ok": 9}
    assert pool.started == 11


def test_a_slot_at_which_somebody_works_is_not_given_up(tmp_path: Path) -> None:
    """Ten workers in a row die before their first task, beside one that works."""
    coordinator, pool = open_table(tmp_path, lambda number: (-1, True) if number < 10 else (1000, False), allocations=2)
    busy = Allocation("busy", Slot("cpu", 0, 1), "here", "cpu", "a CPU")
    coordinator.join(busy, {}, "e")
    coordinator.exchange("busy", [])
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    assert coordinator.close().counts == {"ok": 8}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        refused = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if refused.returncode:
        pytest.skip(f"may not mount: {refused.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    return ballast


@pytest.mark.slow
def test_a_full_disk_stops_the_run_clearly_and_space_lets_it_go_on(tmp_path: Path, small_disk: Path) -> None:
    write_spec(tmp_path, tasks=400, wait_s=0.025)
    command = ("--address", "inline", "--out", str(small_disk))
    run = start(tmp_path, *command)
    until(lambda: bool(parts(small_disk)), "a part")
    kept = {row["task_id"] for row in rows(small_disk)}
    ballast = fill(small_disk)
    code, output = finish(run)
    assert code == 1, output
    assert "No space left on device" in output
    assert "the same command continues" in output
    assert not list(small_disk.glob("**/.*.tmp")), "nothing half written is left"
    code, output = finish(start(tmp_path, *command))
    assert code == 1, "and so it is from the start where the disk is still full"
    assert "No space left on device" in output
    ballast.unlink()
    code, output = finish(start(tmp_path, *command))
    assert code == 0, output
    check_whole(small_disk, 400)
    assert kept < {row["task_id"] for row in rows(small_disk)}


def test_a_worker_that_joins_while_the_disk_is_full_stops_the_run_with_that_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = faulty_spec(index=list(range(9)))
    coordinator = Coordinator(make_plan(spec, REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    pool = TablePool(coordinator, 1, lambda _: (1000, False))
    with monkeypatch.context() as patch:
        patch.setattr("sweeps.atomic_write.os.fsync", _full_disk)
        Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
        status = coordinator.close()
    assert "No space left" in str(status.failure)
    assert (status.counts, rows(tmp_path)) == ({}, [])


def _full_disk(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.slow
def test_a_part_truncated_by_hand_is_told_and_its_tasks_run_again(tmp_path: Path) -> None:
    for tasks in (20, TASKS):
        write_spec(tmp_path, tasks)
        assert finish(start(tmp_path, "--address", "inline"))[0] == 0
    first = parts(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:-100])
    before = sorted(path.name for path in first.parent.iterdir())
    (first.parent / ".part-000009.parquet.tmp").write_bytes(b"of a run that goes on")
    code, output = finish(start(tmp_path, "--address", "inline", "--dry-run"))
    assert code == 0, output
    after = sorted(path.name for path in first.parent.iterdir())
    assert after == sorted([*before, ".part-000009.parquet.tmp"]), "a dry run touches nothing"
    code, output = finish(start(tmp_path, "--address", "inline"))
    assert code == 0, output
    assert f"{first.name}: cannot be read" in output.replace("\n", "")
    assert first.with_name(f"_{first.name}.damaged").exists()
    check_whole(tmp_path)


class _BackwardDatetime(datetime.datetime):
    """Each time that it is asked, it is a day earlier."""

    days = itertools.count(1)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "datetime.datetime":
        return datetime.datetime(2026, 1, 1, tzinfo=tz) - datetime.timedelta(days=next(cls.days))


def test_a_clock_that_runs_backwards_changes_nothing_but_the_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resume, leases, time limits and flushes go by what always grows."""
    seconds = itertools.count(2e9, -86_400.0)
    monkeypatch.setattr(time, "time", lambda: next(seconds))
    monkeypatch.setattr(datetime, "datetime", _BackwardDatetime)
    monkeypatch.setattr(run_directory, "FLUSH_S", 0.0)
    for indexes in ([0, 1, 2, 3], [0, 1, 2, 3, 4, 5]):
        spec = faulty_spec(index=indexes, iterations=3, wait_s=[0.01])
        coordinator = Coordinator(make_plan(spec, REGISTRY, tmp_path), REGISTRY, Policy(timeout_s=5.0))
        coordinator.open()
        pool = InlinePool(coordinator, REGISTRY, local_node(), timeout_s=5.0)
        Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
        assert coordinator.close().counts == {"ok": len(indexes)}
        for part in parts(tmp_path):
            os.utime(part, (0, 0))
    monkeypatch.undo()
    found = rows(tmp_path)
    assert Counter((row["index"], row["iteration"]) for row in found) == Counter(itertools.product(range(6), range(3)))
    assert all(row["duration_s"] > 0 for row in found)
    dates = [row["started_at"] for row in found]
    assert dates == sorted(dates, reverse=True), "the clock did run backwards"


if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps("passed"))
