"""Real Ray actors: the same rows as inline, faults that kill processes, pinning by the kernel."""

import os
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as ds
import pytest
import ray

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.base import OneTaskPerCell
from actors.devices.nodes import Node, local_node
from actors.inline_pool import InlinePool
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.nodes import cluster_nodes
from actors.ray_pool.pool import RayPool
from sweeps.errors import SpecChanged
from sweeps.plan.spec import Spec, Sweep
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.schema import COLUMNS
from tests.fakes import REGISTRY, faulty_spec

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def sweep(directory: Path, spec: Spec, registry: Any = REGISTRY, **policy: Any) -> Status:
    coordinator = RayCoordinator.start(make_plan(spec, registry, directory), registry, Policy(**policy))
    coordinator.open()
    pool = RayPool(coordinator, registry, cluster_nodes())
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    pool.close()
    return coordinator.close()


def rows(directory: Path) -> list[dict[str, Any]]:
    return ds.dataset(sorted(directory.glob("*/part-*.parquet"))).to_table().to_pylist()  # type: ignore[no-any-return]


def test_ray_and_inline_make_the_same_rows(tmp_path: Path) -> None:
    spec = faulty_spec(index=list(range(30)), thing=["a", "b"], fault=["none", "raise", "unsupported"], iterations=2)
    assert sweep(tmp_path / "ray", spec).left == 0
    coordinator = Coordinator(make_plan(spec, REGISTRY, tmp_path / "inline"), REGISTRY, Policy())
    coordinator.open()
    Supervisor(
        coordinator, InlinePool(coordinator, REGISTRY, local_node(), 60.0), lambda _: None, Interrupts(60.0)
    ).run()
    coordinator.close()

    def content(name: str) -> list[tuple[Any, ...]]:
        keys = ("task_id", "cell_id", "iteration", "status", "error_message", "order_index", "index")
        return sorted(tuple(str(row[key]) for key in keys) for row in rows(tmp_path / name))

    assert content("ray") == content("inline")


def test_a_task_that_kills_its_process_is_tried_three_times_and_neighbours_finish(tmp_path: Path) -> None:
    status = sweep(tmp_path, faulty_spec(index=[0, 1, 2], fault=["none", "die"], thing=["a"]))
    assert status.counts == {"ok": 3, "worker_lost": 3}
    lost = [row for row in rows(tmp_path) if row["status"] == "worker_lost"]
    assert {row["attempt"] for row in lost} == {3}
    assert all(row["error_message"] for row in lost)


def test_a_task_that_kills_its_process_once_ends_well(tmp_path: Path) -> None:
    status = sweep(tmp_path, faulty_spec(fault=["die_once"], marker=[str(tmp_path / "marker")]))
    assert status.counts == {"ok": 1}
    assert rows(tmp_path)[0]["attempt"] == 2


def test_a_hung_task_is_killed_and_told(tmp_path: Path) -> None:
    status = sweep(tmp_path, faulty_spec(index=[0], fault=["none", "hang"]), timeout_s=0.5)
    assert status.counts == {"ok": 1, "timeout": 1}
    (row,) = [row for row in rows(tmp_path) if row["status"] == "timeout"]
    assert "--timeout-s" in row["error_message"]


def test_a_poisoned_device_gets_a_fresh_process(tmp_path: Path) -> None:
    status = sweep(tmp_path, faulty_spec(index=[0, 1], fault=["poison"]))
    assert status.counts == {"error": 2}
    assert len({row["worker_id"] for row in rows(tmp_path)}) == 2


def test_slots_that_do_not_exist_are_rows_at_once(tmp_path: Path) -> None:
    status = sweep(tmp_path, faulty_spec(device=["cpu", "k80"], cpu_cores=[1]))
    assert status.counts == {"ok": 1, "unavailable": 1}


def test_errors_of_the_coordinator_arrive_as_themselves(tmp_path: Path) -> None:
    sweep(tmp_path, faulty_spec())
    with pytest.raises(SpecChanged, match="rows of another spec"):
        sweep(tmp_path, faulty_spec(seed=9))


class Pinned(OneTaskPerCell):
    """A no-op that leaves its process id in a directory, and continues when a file `seen` appears there."""

    factors = BENCHMARKS["noop"].factors
    columns = COLUMNS["noop"]
    resource_kind = None
    load_factors = ()

    def __init__(self, pids: Path) -> None:
        self.pids = pids

    def load(self, factors: Any, devices: tuple[str, ...]) -> None:
        assert devices == ("cpu",)

    def unload(self, held: None) -> None:
        pass

    def rows(self, held: None, task: Any, factors: Any) -> Any:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
        (self.pids / str(os.getpid())).touch()
        deadline_s = time.monotonic() + 60
        while not (self.pids / "seen").exists():
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        yield {}


def test_workers_are_pinned_to_disjoint_cores_seen_from_outside(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    registry: dict[str, Any] = {"noop": Pinned(pids)}
    spec = Spec(
        name="pinned",
        sweep=[
            Sweep(
                name="s",
                benchmark="noop",
                iterations=1,
                warmup=0,
                factors={"device": ["cpu"], "cpu_cores": [1], "index": [0, 1], "wait_s": [0.0]},
            )
        ],
    )
    coordinator = RayCoordinator.start(make_plan(spec, registry, tmp_path / "run"), registry, Policy())
    coordinator.open()
    (node,) = cluster_nodes()
    pool = RayPool(coordinator, registry, [Node(node.node_id, node.host, node.cpu_name, node.cores[:2])])
    affinities: dict[str, list[int]] = {}

    def look(_: Status) -> None:
        if (pids / "seen").exists():  # from here on the workers end
            return
        for pid in (path.name for path in pids.iterdir()):
            affinities[pid] = psutil.Process(int(pid)).cpu_affinity() or []
        if len(affinities) == min(2, len(node.cores)):
            (pids / "seen").touch()

    Supervisor(coordinator, pool, look, Interrupts(60.0)).run()
    pool.close()
    assert coordinator.close().counts == {"ok": 2}
    assert sorted(affinities.values()) == [[core] for core in node.cores[:2]]
    assert sorted(row["affinity"] for row in rows(tmp_path / "run")) == [[core] for core in node.cores[:2]]


def test_a_run_waits_for_what_others_hold_says_so_and_begins_when_they_end(tmp_path: Path) -> None:
    class Holder:
        def hold(self) -> None:
            pass

    holder = ray.remote(num_cpus=4)(Holder).remote()
    ray.get(holder.hold.remote())
    told: list[str] = []

    def look(status: Status) -> None:
        if status.waiting_for and not told:
            ray.kill(holder)
        if status.waiting_for:
            told.append(status.waiting_for)

    coordinator = RayCoordinator.start(make_plan(faulty_spec(), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    pool = RayPool(coordinator, REGISTRY, cluster_nodes())
    Supervisor(coordinator, pool, look, Interrupts(60.0)).run()
    pool.close()
    assert coordinator.close().counts == {"ok": 1}
    job = ray.get_runtime_context().get_job_id()
    assert f"waiting for 1 core held by Holder of job {job} (4 cores)" in told
