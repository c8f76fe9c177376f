"""Slots of CPU cores on Ray: pinned and disjoint by the kernel, as many threads as cores, isolation by node."""

import contextlib
import datetime
import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as ds
import pytest
import threadpoolctl

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.noop import Noop, NoopFactors
from actors.devices.nodes import Node, local_node
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.nodes import cluster_nodes
from actors.ray_pool.pool import RayPool
from sweeps.plan.spec import Spec, Sweep
from sweeps.planning import make_plan
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.task import Row, Task

pytestmark = [
    pytest.mark.ray,
    pytest.mark.usefixtures("ray_cluster"),
    pytest.mark.skipif(len(local_node().cores) < 2, reason="two slots need two physical cores"),
]
PATIENCE_S = 60.0
CLOCK_S = 0.005
"""Largest disagreement of the two clocks of a row: its start is wall time, its duration is not."""


class WaitsForSign(Noop):
    """A no-op that writes its process id, computes with torch, and continues when a file `go` appears."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def rows(self, held: None, task: Task, factors: NoopFactors) -> Iterator[Row]:
        import torch

        torch.ones(512, 512) @ torch.ones(512, 512)  # starts the threads that are to be pinned
        pools = threadpoolctl.threadpool_info()
        assert {pool["num_threads"] for pool in pools} == {factors.cpu_cores}, pools
        assert os.environ["RAYON_NUM_THREADS"] == str(factors.cpu_cores)
        (self._directory / f"{os.getpid()}.pid").touch()
        deadline_s = time.monotonic() + PATIENCE_S
        while not (self._directory / "go").exists():
            assert time.monotonic() < deadline_s, "nobody said go"
            time.sleep(0.01)
        yield from super().rows(held, task, factors)


def run(
    directory: Path, benchmark: Noop, watch: Callable[[Status], None], isolation: Any = "device", **factors: list[Any]
) -> list[Row]:
    """Run a sweep on two cores of the session's cluster, and return its rows; `watch` is called with every status."""
    levels = {"device": ["cpu"], "cpu_cores": [1], "index": [0], "wait_s": [0.0]} | factors
    spec = Spec(name="cores", sweep=[Sweep(name="s", benchmark="noop", iterations=1, warmup=0, factors=levels)])
    registry: dict[str, Any] = {"noop": benchmark}
    coordinator = RayCoordinator.start(make_plan(spec, registry, directory / "run"), registry, Policy(isolation))
    coordinator.open()
    (node,) = cluster_nodes()
    pool = RayPool(coordinator, registry, [Node(node.node_id, node.host, node.cpu_name, node.cores[:2])])
    Supervisor(coordinator, pool, watch, Interrupts(PATIENCE_S)).run()
    pool.close()
    assert coordinator.close().left == 0
    rows: list[Row] = ds.dataset(sorted((directory / "run").glob("s/part-*.parquet"))).to_table().to_pylist()
    assert {row["status"] for row in rows} == {"ok"}, [row["error_message"] for row in rows]
    return rows


def cores_of_all_threads(pid: int) -> set[int]:
    """Return the cores on which any thread of a process may run, by the kernel."""
    cores: set[int] = set()
    for thread in psutil.Process(pid).threads():
        with contextlib.suppress(ProcessLookupError):  # the thread ended meanwhile
            cores |= os.sched_getaffinity(thread.id)
    return cores


@pytest.mark.parametrize(("cpu_cores", "workers"), [(1, 2), (2, 1)])
def test_a_slot_has_its_cores_to_itself_and_as_many_threads(cpu_cores: int, workers: int, tmp_path: Path) -> None:
    seen: list[list[int]] = []

    def look(_: Status) -> None:
        pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
        if len(pids) == workers and not seen:
            seen.extend(sorted(cores_of_all_threads(pid)) for pid in pids)
            (tmp_path / "go").touch()

    rows = run(tmp_path, WaitsForSign(tmp_path), look, cpu_cores=[cpu_cores], index=list(range(workers)))
    assert sorted(seen) == sorted(row["affinity"] for row in rows)
    assert sorted(core for cores in seen for core in cores) == sorted(local_node().cores[:2]), "each core once"
    assert {row["threads_effective"] for row in rows} == {cpu_cores} == {row["cpu_cores"] for row in rows}


def test_neighbours_show_up_when_slots_of_a_node_work_at_once(tmp_path: Path) -> None:
    def look(_: Status) -> None:
        if len(list(tmp_path.glob("*.pid"))) == 2:
            (tmp_path / "go").touch()

    rows = run(tmp_path, WaitsForSign(tmp_path), look, index=[0, 1])
    assert sorted(row["neighbours"] for row in rows) == [0, 1], "the first was given out before the second"
    assert overlaps(rows)


class WaitsForOthers(Noop):
    """A no-op whose first task lasts until a file `go` appears."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def rows(self, held: None, task: Task, factors: NoopFactors) -> Iterator[Row]:
        deadline_s = time.monotonic() + PATIENCE_S
        while not (self._directory / "go").exists():
            assert time.monotonic() < deadline_s, "the second worker never came"
            time.sleep(0.01)
        yield from BENCHMARKS["noop"].rows(held, task, factors)


def test_isolation_by_node_lets_one_task_run_at_a_time(tmp_path: Path) -> None:
    def look(status: Status) -> None:
        if len(status.workers) == 2:  # both ask for work from now on
            (tmp_path / "go").touch()

    rows = run(tmp_path, WaitsForOthers(tmp_path), look, "node", index=list(range(12)), wait_s=[0.05])
    assert len(rows) == 12
    assert {row["neighbours"] for row in rows} == {0}
    assert not overlaps(rows)


def overlaps(rows: list[Row]) -> bool:
    """Tell whether any two rows were measured at the same time."""
    spans = sorted((row["started_at"], row["duration_s"]) for row in rows)
    ends = ((start + datetime.timedelta(seconds=duration_s - CLOCK_S), start) for start, duration_s in spans)
    return any(end > after for (end, _), (_, after) in pairwise(ends))
