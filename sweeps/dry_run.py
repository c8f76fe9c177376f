"""What a run would do: cells, exclusions, what is done already, loads, slots, and what nothing here can run."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from sweeps.history import Pace
from sweeps.plan import Grid, Plan
from sweeps.printable import printable
from sweeps.progress import duration
from sweeps.task import Slot


@dataclass(frozen=True)
class Preview:
    """One sweep before it runs."""

    sweep: str
    benchmark: str
    cells: int
    excluded: int
    tasks: int
    done: int
    loads: int
    """Distinct (slot, what is held) pairs of what is left: the fewest loads that one worker a slot can make."""
    slots: dict[Slot, int]
    """Tasks left by slot."""


def preview(grid: Grid, done: Collection[str]) -> Preview:
    """Count one sweep's tasks without running any; `done` are the ids on disk."""
    slots: Counter[Slot] = Counter()
    loads: set[tuple[Slot, str]] = set()
    finished = 0
    for order_index in range(len(grid)):
        task = grid.task(order_index)
        if task.task_id in done:
            finished += 1
            continue
        slots[task.slot] += 1
        if not task.load_key.startswith("nothing"):
            loads.add((task.slot, task.load_key))
    sweep = grid.sweep
    return Preview(
        sweep.name, sweep.benchmark, len(grid.cells), grid.excluded, len(grid), finished, len(loads), dict(slots)
    )


def print_plan(
    console: Console,
    plan: Plan,
    done: Collection[str],
    never: Callable[[Slot], str | None],
    paces: Mapping[Slot, Pace],
) -> None:
    """Print every sweep's preview, its factors with the defaults filled in, and what each slot has to do.

    Args:
        console: where to.
        plan: what would run.
        done: ids of tasks on disk.
        never: why nobody can offer a slot; None if somebody can.
        paces: how long the finished tasks of a slot took; empty before the first run.
    """
    previews = [preview(grid, done) for grid in plan.grids]
    console.print(f"plan of {plan.spec.name}", highlight=False)
    table = Table(box=SIMPLE, padding=0)
    for heading in ("sweep", "benchmark"):
        table.add_column(heading, no_wrap=True)
    for heading in ("cells", "excluded", "tasks", "done", "loads"):
        table.add_column(heading, justify="right", no_wrap=True)
    for sweep in previews:
        counts = (sweep.cells, sweep.excluded, sweep.tasks, sweep.done, sweep.loads)
        table.add_row(sweep.sweep, sweep.benchmark, *(f"{count:,}" for count in counts))
    console.print(table)
    for grid in plan.grids:
        console.print(f"{grid.sweep.name}: {_repeats(grid)}; factors:", highlight=False)
        for name, levels in grid.sweep.factors.items():
            console.print(f"  {name} = {levels}", highlight=False, markup=False, soft_wrap=True)
    total: Counter[Slot] = Counter()
    for sweep in previews:
        total.update(sweep.slots)
    for slot, count in sorted(total.items(), key=lambda item: str(item[0])):
        reason = never(slot)
        verdict = f"unavailable: {printable(reason)}" if reason else f"offered here{_estimate(count, paces.get(slot))}"
        console.print(
            f"slot [{slot}]: {count:,} task{'s' * (count != 1)}, {verdict}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _repeats(grid: Grid) -> str:
    """How often a cell is measured."""
    if not grid.is_timed:
        return "every text is scored once"
    runs = f"{grid.sweep.warmup} warm-up and {grid.sweep.iterations} timed runs a cell"
    if len(grid.iterations) > 1:
        runs += f" ({grid.iterations[-2]} of them planned earlier)"
    return runs + (f", {grid.sweep.rounds} rounds" if grid.sweep.rounds > 1 else "")


def _estimate(left: int, pace: Pace | None) -> str:
    """Of one worker's time; nothing where no task of the slot was measured yet."""
    if pace is None:
        return ""
    seen = f"{pace.tasks:,} finished, {pace.mean_s:.2g} s each"
    return f", about {duration(left * pace.mean_s)} of one worker's time ({seen})"
