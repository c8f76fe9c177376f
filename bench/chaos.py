"""Random kills of everything that a sweep consists of; its rows must be those of a calm sweep all the same.

    python -m bench.chaos [--tasks 1850] [--kills 120] [--seed 0] [--directory DIR]

Two fake nodes with three workers run a sweep of no-ops, as an inline run does undisturbed, with `kill -9` at random of
workers, nodes (the raylet; a new node takes its place), the coordinator, and the driver; where that ended the command,
the same command is given again, as a user would. Prints figures as JSON; the exit code is 0 if no row is missing,
doubled or different, and no actor is left. The defaults take about ten minutes on two cores; the tests run less.
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
"""Of each fake node: three workers of a core."""
KINDS: Final = {"worker": 13, "node": 5, "coordinator": 1, "driver": 1}
"""What is killed, and how often of twenty times."""
ACTORS: Final = {"worker": "RayWorker", "coordinator": "Coordinator"}
TASK: Final = "noop: "
"""What a worker prints when it gets one."""
WAIT_S: Final = 0.21
"""Of a task: long enough to be leased alone, so that a task that kills is known by name."""
QUIET_SHARE: Final = 0.3
"""Of the tasks, at the end, without kills: what lost its worker runs again there, and must not lose three."""
PATIENCE_S: Final = 240.0
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


class Sweep:
    """The command at one address and with one directory, given again whenever it was ended."""

    def __init__(self, directory: Path, out: str, address: str) -> None:
        """Starts it."""
        self.directory = directory
        self.runs = 0
        self._out = out
        self._address = address
        self.start()

    def start(self, *options: str) -> None:
        """Give the command, the same one each time."""
        command = [sys.executable, "-m", "sweeps.run", "chaos.toml", "--address", self._address]
        log = (self.directory / f"{self._out}-{self.runs}.log").open("w")
        self.process = subprocess.Popen(
            [*command, "--out", self._out, *options], cwd=self.directory, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        self.runs += 1

    def on_disk(self) -> int:
        """Tasks that a kill cannot take back any more."""
        return sum(map(rows_of, (self.directory / self._out).glob(PARTS)))

    def go_on(self) -> None:
        """Give the command again, if a kill ended it."""
        if self.process.poll() is not None:
            self.start()

    def wait_for(self, tasks: int) -> None:
        """Until so many are on disk."""

        def reached() -> bool:
            if self.on_disk() >= tasks:
                return True
            self.go_on()
            return False

        until(reached, f"{tasks} tasks on disk")

    def finish(self, tasks: int) -> int:
        """Wait for the end; its exit code."""
        self.wait_for(tasks)
        return self.process.wait(PATIENCE_S)


def rows(out: Path) -> Rows:
    """What is on disk."""
    parts = sorted(out.glob(PARTS))
    columns = ["task_id", "cell_id", "iteration", "order_index", "index", "status", "attempt"]
    table: Rows = ds.dataset(parts).to_table(columns=columns).to_pylist() if parts else []
    return table


@functools.cache
def rows_of(part: Path) -> int:
    """How many a part has; it never changes."""
    return int(pq.read_metadata(part).num_rows)


def kill(kind: str, sweep: Sweep, cluster: FakeCluster, chance: random.Random) -> None:
    """kill -9 of one of that kind, waiting until there is one."""
    if kind == "node":
        number = chance.choice(cluster.numbers)
        cluster.kill_node(number)
        cluster.start_node(number)
    elif kind == "driver":
        sweep.process.kill()
        sweep.process.wait()
    else:
        until(lambda: killed_one(ACTORS[kind], sweep, cluster, chance), f"a {kind} to kill")


def killed_one(title: str, sweep: Sweep, cluster: FakeCluster, chance: random.Random) -> bool:
    """kill -9 of an actor of that class that works; False if there is none now.

    Three workers in a row that die before their first task would rightly end the sweep.
    """
    sweep.go_on()
    actors = [actor for actor in cluster.actors(title) if title != ACTORS["worker"] or TASK in cluster.output(actor)]
    try:
        chance.choice(actors).kill()
    except (IndexError, psutil.NoSuchProcess):
        return False
    return True


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it.

    Raises:
        TimeoutError: nothing of it for PATIENCE_S.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not within {PATIENCE_S:g} s: {what}")
        time.sleep(POLL_S)


def chaos(directory: Path, tasks: int, kinds: list[str], cluster: FakeCluster, chance: random.Random) -> dict[str, Any]:
    """The sweep with kills spread over all but its end; figures of it."""
    started_s = time.monotonic()
    sweep = Sweep(directory, "chaos", cluster.address)
    for number, kind in enumerate(kinds):
        sweep.wait_for(int((1 - QUIET_SHARE) * tasks * number / len(kinds)))
        time.sleep(chance.uniform(0.0, 0.5))
        kill(kind, sweep, cluster, chance)
    code = sweep.finish(tasks)
    lost = sum(row["status"] == "worker_lost" for row in rows(directory / "chaos"))
    if lost:  # as a user would
        sweep.start("--retry", "worker_lost")
        code = sweep.process.wait(PATIENCE_S)
    until(lambda: not cluster.actors(), "the end of every process of the run")
    return {
        "seconds": round(time.monotonic() - started_s, 1),
        "commands": sweep.runs,
        "retried": lost,
        "exit_code": code,
    }


def content(found: Rows) -> list[tuple[Any, ...]]:
    """What must be the same however a run went, repetitions kept."""
    return sorted(tuple(row[key] for key in row if key != "attempt") for row in found)


def main(
    tasks: Annotated[int, typer.Option(help="of a fifth of a second each")] = 1850,
    kills: Annotated[int, typer.Option(help="spread over all but the end")] = 120,
    seed: Annotated[int, typer.Option(help="of what is killed, and when")] = 0,
    directory: Annotated[Path | None, typer.Option(help="for rows and logs; default: a temporary one, kept")] = None,
) -> None:
    """A calm sweep and a chaotic one, compared."""
    where = directory or Path(tempfile.mkdtemp(prefix="chaos-"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    (where / "chaos.toml").write_text(SPEC.format(wait_s=WAIT_S, index=list(range(tasks))))
    chance = random.Random(seed)
    kinds = chance.choices(list(KINDS), weights=list(KINDS.values()), k=kills)
    calm = Sweep(where, "calm", "inline")  # beside the other one: its tasks only wait
    with FakeCluster(CORES) as cluster:
        figures = chaos(where, tasks, kinds, cluster, chance)
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
