"""Progress on stderr while models load and texts are scored; nothing where stderr is no terminal."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from scoring.detection.shown import printable

Item = TypeVar("Item")


@contextmanager
def loading(models: Iterable[str], console: Console) -> Iterator[None]:
    """Show which models are loaded, and for how long, until the block ends."""
    if not console.is_terminal:
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    names = printable(" and ".join(dict.fromkeys(models)))
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(f"loading {names}", total=None)
        yield


def scoring(items: Iterable[Item], total: int, console: Console) -> Iterator[Item]:
    """Yield the items, and show how many of `total` are done, and how long the rest will take."""
    if not console.is_terminal:
        yield from items
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("scoring texts", total=total, left="")
        for done, item in enumerate(items, start=1):
            yield item
            left = time_left(progress.tasks[0].elapsed or 0.0, done, total)
            progress.update(task, completed=done, left=left)


def time_left(elapsed_s: float, done: int, total: int) -> str:
    """Return about how long the rest takes, by the mean of all texts so far; texts are done in bursts."""
    return f"about {timedelta(seconds=round(elapsed_s / done * max(0, total - done)))} left"


def print_message(message: str, console: Console, style: str = "") -> None:
    """Print a message line by line, with nothing in it that a terminal would obey.

    A stderr that is closed or full is ignored.
    """
    with suppress(OSError):
        for line in message.splitlines():
            console.print(Text(printable(line), style=style), soft_wrap=True, highlight=False)
