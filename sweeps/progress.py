"""What a person sees of a run: a live view on a terminal, plain lines elsewhere, a summary at the end.

Reads Status objects only.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from sweeps.schema import FAILED
from sweeps.status import Status

PLAIN_EVERY_S: Final = 5.0


class View(Protocol):
    """Something that shows where a run stands."""

    def show(self, status: Status) -> None: ...


@contextmanager
def view(console: Console, title: str) -> Iterator[View]:
    """The live view on a terminal, plain lines on anything else."""
    if not console.is_terminal:
        plain = PlainView(console, title)
        yield plain
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield LiveView(live, title)


class LiveView:
    """A bar with rate and estimate, and one line a worker."""

    def __init__(self, live: Live, title: str) -> None:
        self._live = live
        self._pace = Pace()
        self._told = Told(live.console)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        self._task = self._bar.add_task(title, total=None, pace="")

    def show(self, status: Status) -> None:
        """Redraw."""
        self._told.tell(status)
        self._bar.update(self._task, completed=status.done, total=status.total, pace=self._pace.line(status))
        self._live.update(Group(self._bar, _workers(status)))


class PlainView:
    """A line every few seconds, and at the end: for logs and pipes."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._pace = Pace()
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
        running = "; ".join(f"{w.worker_id} {w.running or 'starting or waiting'}" for w in status.workers[:4])
        more = f" and {len(status.workers) - 4} more" if len(status.workers) > 4 else ""
        self._console.print(
            f"{self._title}: {status.done}/{status.total} tasks, {self._pace.line(status)}"
            + (f" | {running}{more}" if running else ""),
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


class Pace:
    """Rate and estimate, from what this session finished since its first task came back."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()

    def line(self, status: Status) -> str:
        """Rows, rate, time left and failures in a few words."""
        elapsed_s = max(time.monotonic() - self._started_s, 1e-9)
        done_now = status.done - status.done_before
        per_s = done_now / elapsed_s
        words = [f"{status.rows} rows"]
        if done_now:
            words.append(f"{per_s:.1f} tasks/s" if per_s >= 1 else f"{per_s * 60:.1f} tasks/min")
            words.append(f"about {duration(status.left / per_s)} left" if status.left else duration(elapsed_s))
        else:
            words.append("starting workers" if not status.workers else "no estimate yet")
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
        table.add_row(
            Text(worker.worker_id, style="cyan"),
            Text(worker.device, overflow="ellipsis", no_wrap=True),
            Text(worker.model, overflow="ellipsis", no_wrap=True),
            Text(worker.running or "starting or waiting", overflow="ellipsis", no_wrap=True),
            Text(duration(worker.running_s) if worker.running else "", justify="right"),
        )
    return table
