"""Kill the processes of a sweep at random, and check that its rows are those of an undisturbed sweep.

    python -m bench.chaos [--tasks 1850] [--kills 120] [--seed 0] [--directory DIR]

Two fake nodes with three workers run a sweep of no-ops; an undisturbed inline run of the same spec is the reference.
`kill -9` hits workers, nodes (their raylet; a new node takes the place), the coordinator and the driver at random. If
a kill ended the command, the same command is given again, as a user would. The script prints figures as JSON. Its
exit code is 0 if no row is missing, doubled or different, and no actor is left. The defaults take about ten minutes
on two cores; the tests use smaller numbers.
"""

import functools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import typer

from bench.nodes import FakeCluster

CORES: Final = (2, 1)
"""Number of cores of each fake node: together three workers of one core."""
KINDS: Final = {"worker": 13, "node": 5, "coordinator": 1, "driver": 1}
"""Kinds of processes that are killed, and how many of twenty kills hit each kind."""
ACTORS: Final = {"worker": "RayWorker", "coordinator": "Coordinator"}
TASK: Final = "noop: "
"""Beginning of the line that a worker prints when it gets a task."""
WAIT_S: Final = 0.21
"""Length of a task: long enough that a worker leases one task at a time, so that a killed worker had one task."""
QUIET_SHARE: Final = 0.3
"""Share of the tasks, at the end, that runs without kills: tasks that lost a worker run again there, and the third
loss would be final."""
TIMEOUT_S: Final = 240.0
POLL_S: Final = 0.1
SPEC: Final = """
name = "chaos"
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

PARTS: Final = "chaos/s/part-*.parquet"

Rows = list[dict[str, Any]]


class RestartedSweep:
    """A sweep by the command line, at one address and in one directory; started again if a kill ended the command."""

    def __init__(self, directory: Path, out: str, address: str) -> None:
        """Start the command."""
        self.directory = directory
        self.runs = 0
        self._out = out
        self._address = address
        self.start()

    def start(self, *options: str) -> None:
        """Start the same command, with `options` added."""
        command = [sys.executable, "-m", "sweeps.run", "chaos.toml", "--address", self._address]
        log = (self.directory / f"{self._out}-{self.runs}.log").open("w")
        self.process = subprocess.Popen(
            [*command, "--out", self._out, *options], cwd=self.directory, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        self.runs += 1

    def tasks_on_disk(self) -> int:
        """Return the number of tasks whose rows are on disk, where no kill can undo them."""
        return sum(map(row_count, (self.directory / self._out).glob(PARTS)))

    def restart_if_ended(self) -> None:
        """Give the command again, if a kill ended it."""
        if self.process.poll() is not None:
            self.start()

    def wait_for(self, tasks: int) -> None:
        """Wait until so many tasks are on disk."""

        def reached() -> bool:
            if self.tasks_on_disk() >= tasks:
                return True
            self.restart_if_ended()
            return False

        until(reached, f"{tasks} tasks on disk")

    def finish(self, tasks: int) -> int:
        """Wait for the end of the command, and return its exit code."""
        self.wait_for(tasks)
        return self.process.wait(TIMEOUT_S)


def rows(out: Path) -> Rows:
    """Return the rows on disk."""
    parts = sorted(out.glob(PARTS))
    columns = ["task_id", "cell_id", "iteration", "order_index", "index", "status", "attempt"]
    table: Rows = ds.dataset(parts).to_table(columns=columns).to_pylist() if parts else []
    return table


@functools.cache
def row_count(part: Path) -> int:
    """Return the number of rows of a part; a part never changes."""
    return int(pq.read_metadata(part).num_rows)


def kill(kind: str, sweep: RestartedSweep, cluster: FakeCluster, rng: random.Random) -> None:
    """Kill one process of that kind with SIGKILL; wait until there is one."""
    if kind == "node":
        number = rng.choice(cluster.numbers)
        cluster.kill_node(number)
        cluster.start_node(number)
    elif kind == "driver":
        sweep.process.kill()
        sweep.process.wait()
    else:
        until(lambda: kill_one_actor(ACTORS[kind], sweep, cluster, rng), f"a {kind} to kill")


def kill_one_actor(title: str, sweep: RestartedSweep, cluster: FakeCluster, rng: random.Random) -> bool:
    """Kill an actor of that class with SIGKILL; return False if none is running now.

    Only workers that have had a task are killed: three workers in a row that die before their first task would
    rightly end the sweep.
    """
    sweep.restart_if_ended()
    actors = [actor for actor in cluster.actors(title) if title != ACTORS["worker"] or TASK in cluster.output(actor)]
    try:
        rng.choice(actors).kill()
    except (IndexError, psutil.NoSuchProcess):
        return False
    return True


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: the condition did not hold within TIMEOUT_S.
    """
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not within {TIMEOUT_S:g} s: {what}")
        time.sleep(POLL_S)


def chaos(directory: Path, tasks: int, kinds: list[str], cluster: FakeCluster, rng: random.Random) -> dict[str, Any]:
    """Run the sweep with kills spread over all but its end, and return figures of the run."""
    started_s = time.monotonic()
    sweep = RestartedSweep(directory, "chaos", cluster.address)
    for number, kind in enumerate(kinds):
        sweep.wait_for(int((1 - QUIET_SHARE) * tasks * number / len(kinds)))
        time.sleep(rng.uniform(0.0, 0.5))
        kill(kind, sweep, cluster, rng)
    code = sweep.finish(tasks)
    lost = sum(row["status"] == "worker_lost" for row in rows(directory / "chaos"))
    if lost:  # a user would retry them
        sweep.start("--retry", "worker_lost")
        code = sweep.process.wait(TIMEOUT_S)
    until(lambda: not cluster.actors(), "the end of every process of the run")
    return {
        "seconds": round(time.monotonic() - started_s, 1),
        "commands": sweep.runs,
        "retried": lost,
        "exit_code": code,
    }


def content(found: Rows) -> list[tuple[Any, ...]]:
    """Return the part of the rows that must be the same however a run went; doubled rows are kept."""
    return sorted(tuple(row[key] for key in row if key != "attempt") for row in found)


def main(
    tasks: Annotated[int, typer.Option(help="number of tasks, a fifth of a second each")] = 1850,
    kills: Annotated[int, typer.Option(help="number of kills, spread over all but the end")] = 120,
    seed: Annotated[int, typer.Option(help="seed that decides what is killed, and when")] = 0,
    directory: Annotated[
        Path | None, typer.Option(help="directory for rows and logs; default: a temporary one, which is kept")
    ] = None,
) -> None:
    """Compare a calm and a chaotic sweep."""
    where = directory or Path(tempfile.mkdtemp(prefix="chaos-"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    (where / "chaos.toml").write_text(SPEC.format(wait_s=WAIT_S, index=list(range(tasks))))
    rng = random.Random(seed)
    kinds = rng.choices(list(KINDS), weights=list(KINDS.values()), k=kills)
    calm = RestartedSweep(where, "calm", "inline")  # runs at the same time as the other one: its tasks only wait
    with FakeCluster(CORES) as cluster:
        figures = chaos(where, tasks, kinds, cluster, rng)
    calm_code = calm.process.wait()
    before, after = rows(where / "calm"), rows(where / "chaos")
    same = content(before) == content(after)
    figures |= {
        "tasks": tasks,
        "kills": dict(Counter(kinds)),
        "attempts": {str(n): count for n, count in sorted(Counter(row["attempt"] for row in after).items())},
        "missing": len(set(content(before)) - set(content(after))),
        "doubled": len(after) - len(set(content(after))),
        "same_rows": same,
    }
    (where / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2), f"rows and logs: {where}", sep="\n")
    raise typer.Exit(0 if same and calm_code == figures["exit_code"] == 0 else 1)


if __name__ == "__main__":
    typer.run(main)
