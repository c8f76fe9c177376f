"""Shows a run to a person: a live view on a terminal, plain lines elsewhere, a summary at the end.

Reads Status objects only.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from sweeps.printable import printable
from sweeps.schedule.run_status import Status
from sweeps.task_status import FAILURES, TaskStatus
from sweeps.view.live_table import IDLE, Picture, worker_cells
from sweeps.view.messages import say, warn
from sweeps.view.throughput import duration, headline, sweep_counts
from sweeps.wording import counted

PLAIN_EVERY_S: Final = 5.0
_EXPLAINED: Final = frozenset({"unavailable", "unsupported", "skipped_oom"})
"""Statuses whose names do not say enough in the summary."""


class View(Protocol):
    """Shows the status of a run."""

    def show(self, status: Status) -> None: ...


@contextmanager
def view(console: Console, title: str) -> Iterator[View]:
    """Open the live view on a terminal, plain lines on anything else."""
    with views(console) as open_view:
        yield open_view(title)


@contextmanager
def views(console: Console) -> Iterator[Callable[[str], View]]:
    """Open views of several runs at once, by title, one below the other."""
    if not console.is_terminal:
        yield lambda title: PlainView(console, title)
        return
    pictures: dict[str, Picture] = {}
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda title: LiveView(live, title, pictures)


class LiveView:
    """The picture of a run, redrawn in its place among the others."""

    def __init__(self, live: Live, title: str, pictures: dict[str, Picture]) -> None:
        self._live = live
        self._title = title
        self._pictures = pictures
        self._warnings = WarningPrinter(live.console)

    def show(self, status: Status) -> None:
        """Redraw."""
        self._warnings.print_new(status)
        self._pictures[self._title] = Picture(self._title, status)
        self._live.update(Group(*self._pictures.values()))


class PlainView:
    """A line every few seconds, and at the end: for logs and pipes."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._warnings = WarningPrinter(console)
        self._shown_s = float("-inf")
        self._shown_done = -1

    def show(self, status: Status) -> None:
        """Print a line if it is time for one."""
        self._warnings.print_new(status)
        now_s = time.monotonic()
        finished = status.left == 0 and status.done != self._shown_done
        if not finished and now_s - self._shown_s < PLAIN_EVERY_S:
            return
        self._shown_s, self._shown_done = now_s, status.done
        running = "; ".join(printable(f"{w.worker_id} {w.running or IDLE}") for w in status.workers[:4])
        more = f" and {len(status.workers) - 4} more" if len(status.workers) > 4 else ""
        sweeps = ", ".join(sweep_counts(status))
        say(self._console, " | ".join(filter(None, (headline(self._title, status), sweeps, running + more))))


@contextmanager
def waiting(console: Console, what: str) -> Iterator[Callable[[str], None]]:
    """Show how far a long step is: in one place on a terminal, in a line now and then elsewhere."""
    if console.is_terminal:
        with console.status(Text(what)) as status:
            yield lambda sentence: status.update(Text(printable(f"{what}: {sentence}")))
        return
    told_s = time.monotonic()

    def tell(sentence: str) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= PLAIN_EVERY_S:
            told_s = time.monotonic()
            say(console, printable(f"{what}: {sentence}"))

    yield tell


class WarningPrinter:
    """Prints each warning once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = 0

    def print_new(self, status: Status) -> None:
        """Print the warnings that came since the last call."""
        for warning in status.warnings[self._count :]:
            warn(self._console, warning)
        self._count = len(status.warnings)


def report(console: Console, title: str, status: Status) -> None:
    """Print the status of a run once and whole: warnings, progress, and a line for each sweep and worker."""
    WarningPrinter(console).print_new(status)
    if console.is_terminal:
        console.print(Picture(title, status))
        return
    workers = ["  ".join(filter(None, worker_cells(worker))) for worker in status.workers]
    lines = [headline(title, status), *(f"  {line}" for line in (*sweep_counts(status), *workers))]
    say(console, "\n".join(lines))


def summarize(console: Console, status: Status, directory: Path, elapsed_s: float) -> None:
    """Print the table at the end: counts per status, loads, and the place of the rows."""
    say(console, f"{printable(directory.name)}: {status.done:,} of {counted(status.total, 'task')}")
    if not status.counts:
        return
    table = Table("status", Column("tasks", justify="right"))
    if explained := _EXPLAINED & status.counts.keys():
        table.add_column("", overflow="fold")
    for name, count in sorted(status.counts.items(), key=lambda item: (item[0] != "ok", item[0])):
        meaning = [TaskStatus(name).meaning if name in explained else ""] if explained else []
        table.add_row(Text(printable(name)), f"{count:,}", *meaning, style="red" if name in FAILURES else None)
    console.print(table)
    failed = [f"{printable(sweep.name)} {sweep.failed:,}" for sweep in status.sweeps if sweep.failed]
    if failed and len(status.sweeps) > 1:
        say(console, f"failed by sweep: {', '.join(failed)}")
    earlier = f", {_tasks_were(status.done_before)} done before" if status.done_before else ""
    say(console, f"{counted(status.rows, 'row')} in {duration(elapsed_s)}{earlier}")
    for remark, count in sorted(status.summary_counts.items()):
        say(console, f"{count:,} {printable(remark)}")
    if 0 < status.loads < status.loads_naive:
        loads = counted(status.loads, "model load")
        say(console, f"{loads}; loading for every cell would have made {status.loads_naive}")
    say(console, f"rows: {printable(str(directory))}/*/part-*.parquet")


def _tasks_were(count: int) -> str:
    return f"{counted(count, 'task')} {'was' if count == 1 else 'were'}"
