"""Plan of a large corpus and its shards: seconds, memory, and the last shard beside the first.

    python -m bench.corpora [--rows 10000000] [--form csv --form jsonl --form parquet] [--shard-records 16]

Rows are short and are generated under `--folder`, which keeps them for the next call. A Parquet file has one row group.
Each form has a process of its own, so that the peak of its memory is its own. CPU time stands beside wall time, because
other programs on the machine lengthen the latter.

A shard is read right after the shard before it (`next`), by a process that has read nothing else of the file (`cold`),
and after any other shard (`shuffled`, as the tasks of a run are). All are constant where a file can be opened at a row.
Of a large row group, or a packed file, only `next` is.
"""

import gzip
import json
import pickle
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from actors.benchmarks.corpora import open_corpora
from scoring.corpora import packed_bytes, parquet_rows, passed_rows
from scoring.corpora.corpus import read_rows
from sweeps.task import Level, TaskShard

PAIR: Final[Level] = ["builtin://tiny-base", "builtin://tiny-instruct"]
BATCH_ROWS: Final = 100_000
REPEATS: Final = 7
SHUFFLED: Final = 30
FOLDER: Final = Path(tempfile.gettempdir()) / "bench-corpora"
FORMS: Final = ("csv", "jsonl", "parquet", "jsonl.gz")


def rows_of(count: int, first: int = 0) -> Iterator[tuple[str, str]]:
    """Short texts, each another, with their labels."""
    for number in range(first, first + count):
        yield (
            f"Text number {number} says that short rows, too, have some words to be read.",
            ("human", "ai")[number % 2],
        )


def table_of(first: int, count: int) -> pa.Table:
    """Return some of the rows."""
    texts, labels = zip(*rows_of(count, first), strict=True)
    return pa.table({"text": texts, "label": labels})


def write(path: Path, form: str, count: int) -> None:
    """Write a corpus of so many rows."""
    if form == "parquet":
        parts = [table_of(first, min(BATCH_ROWS, count - first)) for first in range(0, count, BATCH_ROWS)]
        pq.write_table(pa.concat_tables(parts), path, row_group_size=count)
        return
    with cast(IO[str], gzip.open(path, "wt", compresslevel=1) if form.endswith("gz") else path.open("w")) as file:
        if form == "csv":
            file.write("text,label\n")
            file.writelines(f'"{text}",{label}\n' for text, label in rows_of(count))
        else:
            file.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows_of(count))


def forget_places() -> None:
    """Begin as a new process does."""
    for kept in (packed_bytes.UNPACKED, passed_rows.PASSED, parquet_rows.KEPT):
        kept.clear()


def read_ms(shard: TaskShard) -> float:
    """Milliseconds of CPU time to read a shard."""
    started = time.process_time()
    list(read_rows(shard.content))
    return (time.process_time() - started) * 1e3


def next_ms(shards: Sequence[TaskShard], place: int) -> float:
    """Median of a few shards from `place` on, each read after the one before."""
    list(read_rows(shards[max(0, place - 1)].content))
    return statistics.median(read_ms(shard) for shard in shards[place : place + REPEATS])


def cold_ms(shards: Sequence[TaskShard], place: int) -> float:
    """Median of a few reads of a shard where nothing else of the file was read."""
    times = []
    for _ in range(REPEATS):
        forget_places()
        times.append(read_ms(shards[place]))
    return statistics.median(times)


def shuffled_ms(shards: Sequence[TaskShard]) -> float:
    """Mean of shards in any order."""
    places = random.Random(0).sample(range(len(shards)), min(SHUFFLED, len(shards)))
    return statistics.mean(read_ms(shards[place]) for place in places)


def measure(path: Path, form: str, shard_records: int) -> str:
    """Plan a corpus and read its first, middle and last shards; a line about it."""
    level: Level = {"path": str(path), "text": "text", "label": "label"}
    factors: dict[str, list[Level]] = {"pair": [PAIR], "corpus": [level], "shard_records": [shard_records]}
    wall, cpu = time.perf_counter(), time.process_time()
    inputs = open_corpora("pair", factors, {}, lambda _: None)
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    shards = cast(Sequence[TaskShard], inputs.shards({"corpus": level, "shard_records": shard_records}))
    pickled = len(pickle.dumps(shards))
    places = (1, len(shards) // 2, len(shards) - REPEATS)
    cold = [cold_ms(shards, place) for place in places]
    following = [next_ms(shards, place) for place in places]
    return (
        f"{form:9} plan {wall_s:6.1f} s ({cpu_s:.1f} s CPU), peak {peak:,.0f} MiB, "
        f"{len(shards):,} shards of {pickled / len(shards):.0f} bytes; first, middle, last shard: "
        f"next {' '.join(f'{ms:.2f}' for ms in following)} ms (last / first {following[-1] / following[0]:.1f}), "
        f"cold {' '.join(f'{ms:.2f}' for ms in cold)} ms; shuffled {shuffled_ms(shards):.2f} ms"
    )


def main(
    rows: Annotated[int, typer.Option(min=1000)] = 10_000_000,
    form: Annotated[list[str] | None, typer.Option(help=f"{', '.join(FORMS)}; default: the first three")] = None,
    shard_records: Annotated[int, typer.Option(min=1)] = 16,
    folder: Annotated[Path, typer.Option()] = FOLDER,
    in_process: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Print a line for each form."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in form or FORMS[:3]:
        path = folder / f"{rows}.{one}"
        if in_process:
            typer.echo(measure(path, one, shard_records))
            continue
        if not path.exists():
            write(path, one, rows)
        command = [sys.executable, "-m", "bench.corpora", "--in-process", "--form", one, "--rows", str(rows)]
        command += ["--shard-records", str(shard_records), "--folder", str(folder)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    typer.run(main)
