"""Measure cells per minute of a generation grid of 40 cells with the tiny model, beside one process a cell.

    python -m bench.harness [--address inline|local] [--naive 3]

The reference starts a fresh process for every cell; the process imports, loads, generates and ends. Both run in this
one command. Two times are printed: that of the whole command with its start, and that from the first to the last row,
which a longer sweep approaches.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import pyarrow.dataset as ds
import typer

from models.builtin import cache

SPEC = """
name = "harness"
[[sweep]]
name = "generation"
benchmark = "generation"
iterations = 1
warmup = 1
[sweep.factors]
model = ["builtin://tiny-base"]
device = ["cpu"]
cpu_cores = [1]
prompt_words = [8, 16, 32, 64]
max_new_tokens = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
"""
CELLS = 40
ONE_CELL = """
from actors.benchmarks.generation import measure, prompt_ids
from models.load import load_model
held = load_model("builtin://tiny-base")
prompt = prompt_ids(held, {words}, 0)
for _ in range(2):
    measure(held, prompt, {tokens})
"""


def naive_cell_s(words: int, tokens: int) -> float:
    """Return the seconds that one cell takes in its own process."""
    started_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", ONE_CELL.format(words=words, tokens=tokens)], check=True)
    return time.perf_counter() - started_s


def sweep_s(address: str) -> tuple[float, float]:
    """Return the seconds of the whole command, and those from the first row's start to the last row's end."""
    with tempfile.TemporaryDirectory() as directory:
        spec = Path(directory) / "harness.toml"
        spec.write_text(SPEC)
        command = [sys.executable, "-m", "sweeps.run", str(spec), "--address", address, "--out", directory]
        started_s = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        elapsed_s = time.perf_counter() - started_s
        parts = sorted(Path(directory).glob("harness/generation/part-*.parquet"))
        rows = ds.dataset(parts).to_table(columns=["started_at", "duration_s", "status"]).to_pylist()
    if [row["status"] for row in rows] != ["ok"] * CELLS:
        raise RuntimeError(f"not {CELLS} rows of status ok: {rows}")
    first = min(row["started_at"] for row in rows)
    last = max(row["started_at"].timestamp() + row["duration_s"] for row in rows)
    return elapsed_s, last - first.timestamp()


def main(
    address: Annotated[list[str] | None, typer.Option(help="`--address` of the sweep; repeatable")] = None,
    naive: Annotated[int, typer.Option(help="number of cells to run in a process each")] = 3,
) -> None:
    """Print cells per minute of both, and the ratios."""
    cache.ensure_built()
    cells_s = [naive_cell_s(32, tokens) for tokens in range(4, 4 + naive)]
    naive_s = statistics.median(cells_s)
    print(f"one process a cell: {naive_s:.2f} s a cell, {60 / naive_s:.1f} cells/min", flush=True)
    for where in address or ["inline", "local"]:
        whole_s, rows_s = sweep_s(where)
        for what, elapsed_s in (("whole command", whole_s), ("first to last row", rows_s)):
            per_cell_s = elapsed_s / CELLS
            print(
                f"{where}, {what}: {elapsed_s:.1f} s, {60 / per_cell_s:,.0f} cells/min, "
                f"{naive_s / per_cell_s:.0f} times faster",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
