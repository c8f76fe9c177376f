"""A scoring sweep over four actors on two fake nodes, its workers killed at random, equals an inline run's rows."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as ds
import pytest

from models.builtin import cache
from sweeps.planning import make_plan

RECORDS = 2_000
KILLS = 6
SPEC = """
name = "chaos"
[[sweep]]
name = "s"
benchmark = "binoculars"
iterations = 1
warmup = 0
[sweep.factors]
pair = [["builtin://tiny-base", "builtin://tiny-instruct"]]
fragments = [{{ mode = "random", min_words = 3, max_words = 12 }}]
device = ["cpu"]
cpu_cores = [1]
shard_records = [20]
dtype = ["float32"]
corpus = [{{ path = "{corpus}", human = "human", synthetic = "synthetic", id = "id" }}]
"""


def write_corpus(path: Path) -> None:
    """Short texts, so that a run is long in records and not in time."""
    records = [json.loads(line) for line in cache.docs_path().read_text(encoding="utf-8").splitlines()]
    with path.open("w", encoding="utf-8") as file:
        for number in range(RECORDS):
            record = records[number % len(records)]
            skip = 3 * (number // len(records))
            texts = {author: " ".join(record[author].split()[skip:][:14]) for author in ("human", "synthetic")}
            file.write(json.dumps({"id": f"r{number}"} | texts) + "\n")


def rows(directory: Path) -> dict[tuple[Any, ...], float]:
    columns = ["record_id", "author", "fragment_index", "score"]
    table = ds.dataset(sorted(directory.glob("chaos/s/part-*.parquet"))).to_table(columns=columns)
    content = [tuple(row.values()) for row in table.to_pylist()]
    keyed = {row[:3]: row[3] for row in content}
    assert len(keyed) == len(content), "a fragment has exactly one row"
    return keyed


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_workers_change_no_row(tmp_path: Path) -> None:
    write_corpus(tmp_path / "texts.jsonl")
    (tmp_path / "chaos.toml").write_text(SPEC.format(corpus=tmp_path / "texts.jsonl"))
    for mode in ("calm", "chaos"):
        command = [sys.executable, __file__, mode, str(tmp_path)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    killed = int((tmp_path / "killed").read_text())
    assert killed == KILLS
    calm, chaos = rows(tmp_path / "calm"), rows(tmp_path / "chaos")
    assert len({record_id for record_id, _, _ in calm}) == RECORDS
    assert chaos == pytest.approx(calm, abs=1e-5)


def run_calm(directory: Path) -> int:
    """Inline, in this process."""
    command = [sys.executable, "-m", "sweeps.run", "chaos.toml", "--address", "inline", "--out", "calm"]
    return subprocess.run(command, cwd=directory, check=False).returncode


def run_chaos(directory: Path) -> int:
    """On two nodes of two actors each; whenever enough new tasks are done, some worker's process is killed."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray
    from ray.cluster_utils import Cluster

    from actors.benchmarks import BENCHMARKS
    from actors.ray_pool.client import RayCoordinator
    from actors.ray_pool.cluster import NAMESPACE
    from actors.ray_pool.nodes import cluster_nodes
    from actors.ray_pool.pool import RayPool
    from sweeps.plan.spec import Defaults
    from sweeps.plan.spec_reader import read_spec, with_defaults
    from sweeps.schedule.policy import Policy
    from sweeps.schedule.run_status import Status
    from sweeps.schedule.supervisor import Interrupts, Supervisor

    settings = {"num_cpus": 2, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=settings)
    cluster.add_node(num_cpus=2, object_store_memory=100 * 2**20)
    ray.init(address=cluster.address, namespace=NAMESPACE, log_to_driver=False)
    spec = with_defaults(
        read_spec(str(directory / "chaos.toml"), [], BENCHMARKS), Defaults(device="cpu", cpu_cores=1), BENCHMARKS
    )
    coordinator = RayCoordinator.start(make_plan(spec, BENCHMARKS, directory / "chaos" / "chaos"), BENCHMARKS, Policy())
    coordinator.open()
    pool = RayPool(coordinator, BENCHMARKS, cluster_nodes())
    chance = random.Random(7)
    killed: list[int] = []
    most = [0]

    def maybe_kill(status: Status) -> None:
        busy = [worker for worker in status.workers if worker.running]
        most[0] = max(most[0], len(busy))
        if len(killed) < KILLS and status.done >= 8 * (len(killed) + 1) and busy:
            victims = [process for process in psutil.process_iter(["cmdline"]) if is_worker(process)]
            if victims:
                victim = chance.choice(victims)
                killed.append(victim.pid)
                victim.send_signal(signal.SIGKILL)

    Supervisor(coordinator, pool, maybe_kill, Interrupts(60.0)).run()
    pool.close()
    status = coordinator.close()
    (directory / "killed").write_text(str(len(killed)))
    print(status.counts, "most workers at once:", most[0])
    ray.shutdown()
    cluster.shutdown()
    return 0 if status.left == 0 and set(status.counts) == {"ok"} and most[0] == 4 else 1


def is_worker(process: psutil.Process) -> bool:
    """A worker actor of this cluster: its raylet is this process's child."""
    try:
        name = " ".join(process.info["cmdline"] or [])
        return "RayWorker" in name and os.getpid() in [parent.pid for parent in process.parents()]
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit({"calm": run_calm, "chaos": run_chaos}[sys.argv[1]](Path(sys.argv[2])))
