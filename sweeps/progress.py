"""What a person sees of a run: a live view on a terminal, plain lines elsewhere, a summary at the end.

Reads Status objects only.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeps.schema import FAILED
from sweeps.standing import Status, WorkerStatus

PLAIN_EVERY_S: Final = 5.0
IDLE: Final = "starting or waiting"


class View(Protocol):
    """Something that shows where a run stands."""

    def show(self, status: Status) -> None: ...


@contextmanager
def view(console: Console, title: str) -> Iterator[View]:
    """The live view on a terminal, plain lines on anything else."""
    with views(console) as open_view:
        yield open_view(title)


@contextmanager
def views(console: Console) -> Iterator[Callable[[str], View]]:
    """The same for several runs at once: opens a view for each title, one below the other."""
    if not console.is_terminal:
        yield lambda title: PlainView(console, title)
        return
    pictures: dict[str, Group] = {}
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda title: LiveView(live, title, pictures)


class LiveView:
    """The picture of a run, redrawn in its place among the others."""

    def __init__(self, live: Live, title: str, pictures: dict[str, Group]) -> None:
        self._live = live
        self._title = title
        self._pictures = pictures
        self._told = Told(live.console)

    def show(self, status: Status) -> None:
        """Redraw."""
        self._told.tell(status)
        self._pictures[self._title] = picture(self._title, status)
        self._live.update(Group(*self._pictures.values()))


class PlainView:
    """A line every few seconds, and at the end: for logs and pipes."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._told = Told(console)
        self._shown_s = float("-inf")
        self._shown_done = -1

    def show(self, status: Status) -> None:
        """Print a line if it is time for one."""
        self._told.tell(status)
        now_s = time.monotonic()
        finished = status.left == 0 and status.done != self._shown_done
        if not finished and now_s - self._shown_s < PLAIN_EVERY_S:
            return
        self._shown_s, self._shown_done = now_s, status.done
        running = "; ".join(f"{w.worker_id} {w.running or IDLE}" for w in status.workers[:4])
        more = f" and {len(status.workers) - 4} more" if len(status.workers) > 4 else ""
        self._console.print(
            headline(self._title, status) + (f" | {running}{more}" if running else ""),
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


class Told:
    """Prints each warning once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = 0

    def tell(self, status: Status) -> None:
        """Print what came since the last time."""
        for warning in status.warnings[self._count :]:
            self._console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)
        self._count = len(status.warnings)


def report(console: Console, title: str, status: Status) -> None:
    """Where a run stands, once and whole: warnings, progress, and a line for each worker."""
    Told(console).tell(status)
    if console.is_terminal:
        console.print(picture(title, status))
        return
    lines = ["  " + "  ".join(filter(None, _cells(worker))) for worker in status.workers]
    console.print("\n".join([headline(title, status), *lines]), highlight=False, markup=False, soft_wrap=True)


def picture(title: str, status: Status) -> Group:
    """A bar with rate and estimate, and one line a worker."""
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(no_wrap=True)
    bar.add_column(ratio=1)
    bar.add_row(
        Text(title, style="bold"),
        ProgressBar(max(status.total, 1), status.done),
        Text(f"{status.done}/{status.total}", style="progress.download"),
        pace(status),
    )
    return Group(bar, _workers(status))


def headline(title: str, status: Status) -> str:
    """The same as the bar, in words."""
    return f"{title}: {status.done}/{status.total} tasks, {pace(status)}"


def pace(status: Status) -> str:
    """Rows, rate, time left and failures in a few words, from what this session finished so far."""
    elapsed_s = max(status.elapsed_s, 1e-9)
    done_now = status.done - status.done_before - status.untried
    per_s = done_now / elapsed_s
    words = [f"{status.rows} rows"]
    if done_now:
        words.append(f"{per_s:.1f} tasks/s" if per_s >= 1 else f"{per_s * 60:.1f} tasks/min")
        words.append(f"about {duration(status.left / per_s)} left" if status.left else duration(elapsed_s))
    else:
        words.append("no estimate yet" if status.workers else status.waiting_for or "starting workers")
    failed = sum(count for name, count in status.counts.items() if name in FAILED)
    if failed:
        words.append(f"{failed} failed")
    return ", ".join(words)


def duration(seconds: float) -> str:
    """`42 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def summarize(console: Console, status: Status, directory: Path, elapsed_s: float) -> None:
    """The table at the end: counts per status, loads, and where the rows are."""
    console.print(f"{directory.name}: {status.done:,} of {status.total:,} tasks", highlight=False)
    if not status.counts:
        return
    table = Table()
    table.add_column("status")
    table.add_column("tasks", justify="right")
    for name, count in sorted(status.counts.items(), key=lambda item: (item[0] != "ok", item[0])):
        table.add_row(name, f"{count:,}", style="red" if name in FAILED else None)
    console.print(table)
    earlier = f", {status.done_before} tasks were done before" if status.done_before else ""
    console.print(f"{status.rows:,} rows in {duration(elapsed_s)}{earlier}", highlight=False)
    for remark, count in sorted(status.remarks.items()):
        console.print(f"{count:,} {remark}", highlight=False)
    if status.loads_naive:
        console.print(
            f"{status.loads} model loads; loading for every cell would have made {status.loads_naive}",
            highlight=False,
        )
    console.print(f"rows: {directory}/*/part-*.parquet", highlight=False, soft_wrap=True)


def _workers(status: Status) -> Table:
    table = Table.grid(padding=(0, 2))
    for worker in status.workers:
        worker_id, *rest, running_s = _cells(worker)
        cells = [Text(cell, overflow="ellipsis", no_wrap=True) for cell in rest]
        table.add_row(Text(worker_id, style="cyan"), *cells, Text(running_s, justify="right"))
    return table


def _cells(worker: WorkerStatus) -> tuple[str, str, str, str, str]:
    """Who, on what, with which model, at what, for how long."""
    running_s = duration(worker.running_s) if worker.running else ""
    return worker.worker_id, worker.device, worker.model, worker.running or IDLE, running_s
