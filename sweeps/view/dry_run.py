"""Prints what a run would do: cells, exclusions, tasks that are done, loads, slots, and slots that no node offers."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from sweeps.plan.grid import Grid, Plan
from sweeps.printable import printable
from sweeps.run_layout import REHEARSAL
from sweeps.store.history import SlotTiming
from sweeps.task import Slot
from sweeps.view.throughput import duration
from sweeps.wording import counted

FEWEST_ROWS: Final = 5
"""Rows of a cell below which the report shows no interval (a test compares this with the report's own number)."""


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
    """Distinct pairs of slot and load key among the tasks left: the fewest loads that one worker a slot can make."""
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
        if task.loads:
            loads.add((task.slot, task.load_key))
    sweep = grid.sweep
    return Preview(
        sweep.name, sweep.benchmark, len(grid.cells), grid.excluded, len(grid), finished, len(loads), dict(slots)
    )


def print_plan(
    console: Console,
    plan: Plan,
    done: Collection[str],
    infeasible: Callable[[Slot], str | None],
    slot_timings: Mapping[Slot, SlotTiming],
) -> None:
    """Print every sweep's preview, its factors with the defaults filled in, and what each slot has to do.

    Args:
        console: where to.
        plan: what would run.
        done: ids of tasks on disk.
        infeasible: reason why no node can offer a slot; None if one can.
        slot_timings: how long the finished tasks of a slot took; empty before the first run.
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
    if note := _too_few_to_tell(plan):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    total: Counter[Slot] = Counter()
    for sweep in previews:
        total.update(sweep.slots)
    for slot, count in sorted(total.items(), key=lambda item: str(item[0])):
        reason = infeasible(slot)
        verdict = (
            f"unavailable: {printable(reason)}" if reason else f"offered here{_estimate(count, slot_timings.get(slot))}"
        )
        console.print(
            f"slot [{slot}]: {counted(count, 'task')}, {verdict}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _repeats(grid: Grid) -> str:
    """Say how often a cell is measured."""
    if not grid.is_timed:
        return "every text is scored once"
    runs = f"{grid.sweep.warmup} warm-up and {grid.sweep.iterations} timed runs a cell"
    if len(grid.iterations) > 1:
        runs += f" ({grid.iterations[-2]} of them planned earlier)"
    return runs + (f", {grid.sweep.rounds} rounds" if grid.sweep.rounds > 1 else "")


def _too_few_to_tell(plan: Plan) -> str:
    """Name the timed sweeps of which the report can give no interval; '' for none, and for a rehearsal."""
    rows = {grid.sweep.name: grid.sweep.iterations * grid.sweep.rounds for grid in plan.grids if grid.is_timed}
    few = [f"{name} ({counted(count, 'row')} a cell)" for name, count in rows.items() if count < FEWEST_ROWS]
    if not few or plan.spec.name.endswith(REHEARSAL):
        return ""
    return (
        f"note: the report will show 'too few to tell' in place of the 95% intervals of {', '.join(few)}: "
        f"an interval needs {FEWEST_ROWS} rows; set iterations = {FEWEST_ROWS} or more"
    )


def _estimate(left: int, timing: SlotTiming | None) -> str:
    """Estimate one worker's time for the tasks left; empty where no task of the slot was measured yet."""
    if timing is None:
        return ""
    seen = f"{timing.tasks:,} finished, {timing.mean_s:.2g} s each"
    return f", about {duration(left * timing.mean_s)} of one worker's time ({seen})"
