"""The live table of a run, for any width: a bar, a line for each sweep, a line or more for each worker.

Reads Status objects only. Lays text out itself: no line is wider than the terminal, and only the middle of a long
name is cut, never the level that tells two lines apart.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeps.printable import middle_out, printable
from sweeps.schedule.run_status import Status, SweepStatus, WorkerStatus
from sweeps.view.throughput import duration, throughput_words

IDLE: Final = "starting or waiting"
MAX_SWEEPS: Final = 12
MAX_WORKERS: Final = 32
_GAP: Final = "  "
_BAR: Final = 12
"""Width in cells below which a bar says nothing."""
_SHORT_NAME: Final = 12
"""Cells that a long name keeps at least."""
_LONG_LEVEL: Final = re.compile(r"(?<= )(?:model|pair|source|corpus|max_memory)=(.*?)(?= \w+=| \[|$)")
"""Levels in a task's label that may be long, by their factors."""
_BREAK: Final = re.compile(r" (?=\w+=|\[)")
"""Places where a label may be broken: before a level."""

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """The live table of one run."""

    title: str
    status: Status

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines for the terminal's present width."""
        width = options.max_width
        yield from _head(printable(self.title), self.status, width)
        if len(self.status.sweeps) > 1:
            yield from _sweeps(self.status.sweeps, width)
        for line in worker_lines(self.status.workers[:MAX_WORKERS], width):
            yield Text(line, no_wrap=True)
        if (more := len(self.status.workers) - MAX_WORKERS) > 0:
            yield Text(middle_out(f"and {more} more workers", width), no_wrap=True)


def worker_cells(worker: WorkerStatus) -> Cells:
    """Return worker, device, model, task and time as printable cells."""
    running_s = duration(worker.running_s) if worker.running else ""
    return tuple(map(printable, (worker.worker_id, worker.device, worker.model, worker.running or IDLE, running_s)))


def worker_lines(workers: Sequence[WorkerStatus], width: int) -> list[str]:
    """Return the lines of all workers in the richest layout in which every line fits.

    First the model goes, where the levels name it already; then the device; then long names lose their middle; at last
    levels get lines of their own.
    """
    rows = [worker_cells(worker) for worker in workers]
    named = all(f"={model}" in running for _, _, model, running, _ in rows if model and running != IDLE)
    if named:
        rows = [(worker_id, device, "", running, time) for worker_id, device, _, running, time in rows]
    without_device = [(worker_id, "", "", running, time) for worker_id, _, _, running, time in rows]
    for layout in (
        rows,
        [(worker_id, device, "", running, time) for worker_id, device, _, running, time in rows],
        without_device,
    ):
        if _width(layout) <= width:
            return _aligned(layout)
    room = width - (_width(without_device) - max(cell_len(running) for *_, running, _ in rows))
    shortened = [(worker_id, "", "", shorten_names(running, room), time) for worker_id, _, _, running, time in rows]
    if _width(shortened) <= width:
        return _aligned(shortened)
    return [line for row in rows for line in _block(row, width)]


def shorten_names(label: str, cells: int) -> str:
    """Shorten a label to `cells` by cutting the middle of its long levels; the rest stays."""
    for value in sorted(_LONG_LEVEL.findall(label), key=cell_len, reverse=True):
        if (surplus := cell_len(label) - cells) > 0:
            label = label.replace(value, middle_out(value, max(_SHORT_NAME, cell_len(value) - surplus)), 1)
    return label


def folded(words: Sequence[str], between: str, cells: int) -> list[str]:
    """Fold words into lines of `cells`; a word that is wider loses its middle."""
    lines: list[str] = []
    for word in (middle_out(word, cells) for word in words):
        if lines and cell_len(lines[-1] + between + word) <= cells:
            lines[-1] += between + word
        else:
            lines.append(word)
    return lines


def _head(title: str, status: Status, width: int) -> Iterator[Table | Text]:
    """Yield title, bar, count and rate in one line where they fit, else in several."""
    count, words = f"{status.done}/{status.total}", throughput_words(status)
    beside = sum(cell_len(text) + len(_GAP) for text in (title, count, ", ".join(words)))
    if width - beside >= 2 * _BAR:
        yield _row(title, width - beside, (status.done, status.total), count, ", ".join(words))
        return
    title = middle_out(title, max(_SHORT_NAME, width - cell_len(count) - _BAR - 2 * len(_GAP)))
    yield _row(title, width - cell_len(title + count) - 2 * len(_GAP), (status.done, status.total), count, "")
    for line in folded(words, ", ", width):
        yield Text(line, no_wrap=True)


def _sweeps(sweeps: Sequence[SweepStatus], width: int) -> Iterator[Table | Text]:
    """Yield name, bar, count and failures of each sweep; of too many sweeps, of the unfinished ones."""
    unfinished = [sweep for sweep in sweeps if sweep.done < sweep.total]
    shown = list(sweeps if len(sweeps) <= MAX_SWEEPS else unfinished[:MAX_SWEEPS])
    counts = [f"{sweep.done}/{sweep.total}" for sweep in shown]
    failures = [f"{sweep.failed} failed" if sweep.failed else "" for sweep in shown]
    count_cells, failure_cells = max(map(cell_len, counts), default=0), max(map(cell_len, failures), default=0)
    room = width - count_cells - failure_cells - 3 * len(_GAP)
    longest = max((cell_len(printable(sweep.name)) for sweep in shown), default=0) + len(_GAP)
    name_cells = longest if room - longest >= _BAR // 2 else min(longest, room + len(_GAP))  # the name before the bar
    for sweep, count, failed in zip(shown, counts, failures, strict=True):
        name = middle_out(_GAP + printable(sweep.name), name_cells)
        name += " " * (name_cells - cell_len(name))
        yield _row(name, room - name_cells, (sweep.done, sweep.total), count.rjust(count_cells), failed)
    if hidden := [sweep for sweep in sweeps if sweep not in shown]:
        failed_tasks = sum(sweep.failed for sweep in hidden)
        words = [f"{_GAP}and {len(hidden)} more", f"{len(sweeps) - len(unfinished)} finished"]
        yield Text(middle_out(", ".join(words + [f"{failed_tasks} failed"] * bool(failed_tasks)), width), no_wrap=True)


def _row(name: str, bar_cells: int, progress: tuple[int, int], count: str, words: str) -> Table:
    """Return one line, with a bar if there is room for one."""
    done, total = progress
    row = Table.grid(padding=(0, len(_GAP), 0, 0), pad_edge=False)
    cells: list[Text | ProgressBar] = [Text(name, style="bold", no_wrap=True)]
    if bar_cells >= _BAR // 2:
        cells.append(ProgressBar(max(total, 1), done, width=bar_cells))
    cells.append(Text(count, style="progress.download", no_wrap=True))
    if words:
        cells.append(Text(words, no_wrap=True))
    row.add_row(*cells)
    return row


def _width(rows: Sequence[Cells]) -> int:
    """Return the width of the aligned table in cells; empty columns take none."""
    widths = [max(map(cell_len, column), default=0) for column in zip(*rows, strict=True)]
    return sum(width + len(_GAP) for width in widths if width) - len(_GAP)


def _aligned(rows: Sequence[Cells]) -> list[str]:
    """Return a line for each row, with aligned columns."""
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    widths = [max(map(cell_len, column)) for column in columns]
    return [
        _GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]


def _block(row: Cells, width: int) -> Iterator[str]:
    """Yield a line with the worker and its time, and below it lines with the levels."""
    worker_id, _, _, running, time = row
    yield _GAP.join(filter(None, (middle_out(worker_id, width - cell_len(time) - len(_GAP)), time)))
    room = width - len(_GAP)
    for line in folded([shorten_names(f" {word}", room + 1)[1:] for word in _BREAK.split(running)], " ", room):
        yield _GAP + line
