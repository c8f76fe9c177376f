"""Makes the one plan of a run, from a spec and the rows that its run directory holds.

The dry run shows the plan, and the coordinator runs it. A changed spec of the same name is refused with the difference
where it leaves out a task that was tried. It may add cells, add rounds and iterations to timed sweeps, and drop tasks
that never ran.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.errors import SpecChanged, UserError
from sweeps.plan.declaration import BenchmarkInfo, Registry
from sweeps.plan.grid import Grid, Plan
from sweeps.plan.spec import Spec, Sweep
from sweeps.run_layout import SweepLayout
from sweeps.store.finished import Again, Finished, pending_groups, read_finished
from sweeps.store.parts import read_on_disk
from sweeps.store.run_metadata import RunMetadata, known_rows, read_run_metadata
from sweeps.task import digest


@dataclass(frozen=True)
class Prepared:
    """A spec that is ready to run: its plan, and the tasks of the plan that are on disk."""

    plan: Plan
    finished: Finished

    @property
    def is_finished(self) -> bool:
        """True where no task is left to run."""
        return len(self.finished.statuses) == len(self.plan)


def prepare(
    spec: Spec, registry: Registry, directory: Path, again: Again, progress: Callable[[str], object]
) -> Prepared:
    """Plan a spec, and read which tasks of the plan are on disk.

    Args:
        spec: with every factor spelled out.
        registry: of its benchmarks.
        directory: of the run; only read.
        again: rules for which finished tasks run again.
        progress: called with a sentence on how far the look at large inputs is, from time to time.

    Raises:
        UserError: as `make_plan`; or rows on disk are not of this plan (SpecChanged).
    """
    plan = make_plan(spec, registry, directory, progress)
    finished = read_finished(plan, registry, again, lambda _part, _error: None)
    pending_groups(plan, finished)  # refuses rows that are not of this plan
    return Prepared(plan, finished)


def make_plan(
    spec: Spec, registry: Registry, directory: Path, progress: Callable[[str], object] = lambda _: None
) -> Plan:
    """Open the inputs of every sweep, and plan its tasks so that those on disk stay the same.

    Args:
        spec: with every factor spelled out.
        registry: of its benchmarks.
        directory: of the run; only read.
        progress: called with a sentence on how far the look at large inputs is, from time to time.

    Raises:
        UserError: a cell is impossible, an input cannot be read or changed, or rows on disk are of another spec
            (SpecChanged).
    """
    grids, known = [], {}
    for sweep in spec.sweep:
        folder = directory / sweep.name
        benchmark = registry[sweep.benchmark]
        on_disk = read_on_disk(folder, benchmark.columns.measure, lambda _part, _error: None)
        # An unavailable task was never tried: no row of it could be mixed with those of a changed spec.
        tried = {task_id for task_id, status in on_disk.statuses.items() if status != "unavailable"}
        is_new = not tried and (bool(on_disk.statuses) or not SweepLayout(folder).parts())
        metadata = RunMetadata() if is_new else read_run_metadata(folder)
        grid = _grid(sweep, benchmark, metadata, _known_inputs(metadata, on_disk.revisions), folder, progress)
        grid.check()
        if metadata.sweep is not None:
            _refuse_changed(folder, metadata.sweep, grid, tried)
        grids.append(grid)
        known[sweep.name] = known_rows(folder)
    planned = spec.model_copy(update={"sweep": [grid.sweep for grid in grids]})
    return Plan(planned, grids, directory.absolute(), known)


def _grid(
    sweep: Sweep,
    benchmark: BenchmarkInfo,
    metadata: RunMetadata,
    known: Mapping[str, Any],
    folder: Path,
    progress: Callable[[str], object],
) -> Grid:
    try:
        inputs = benchmark.open_inputs(sweep.factors, known, progress)
    except UserError as error:
        raise UserError(f"sweep {sweep.name!r}: {error}") from error
    factors = {name: [inputs.canonical(name, level) for level in levels] for name, levels in sweep.factors.items()}
    for name, levels in factors.items():
        if len({digest(level) for level in levels}) < len(levels):
            raise UserError(
                f"sweep {sweep.name!r}, factors.{name}: two levels are one corpus, by content and by what {folder} has "
                f"of it: {json.dumps(sweep.factors[name])}; name it once"
            )
    earlier = [iterations for iterations in metadata.iterations if iterations < sweep.iterations]
    iterations = (*earlier, sweep.iterations) if benchmark.timed else (sweep.iterations,)
    return Grid(sweep.model_copy(update={"factors": factors}), benchmark, inputs, iterations)


def _known_inputs(metadata: RunMetadata, revisions: Collection[str]) -> dict[str, Any]:
    """Return the record of the inputs of the rows; of the first version's rows, only which corpora there were.

    A model binds only where a row was measured with it: a model that was damaged may be mended.
    """
    if metadata.inputs is not None:
        models: Mapping[str, str] = metadata.inputs.get("models", {})
        measured = {name: revision for name, revision in models.items() if revision in revisions}
        return {**metadata.inputs, "models": measured, "unmeasured": dict(models.items() - measured.items())}
    if metadata.sweep is None:
        return {}
    return {
        "corpora": {json.dumps(level): None for level in metadata.sweep["factors"].get("corpus", [])},
        "models": None,
    }


def _refuse_changed(folder: Path, old: dict[str, Any], grid: Grid, tried: set[str]) -> None:
    """Refuse a spec that leaves out a task which was tried; tasks that were not tried may come and go."""
    new = grid.sweep.model_dump(mode="json")
    if old == new:
        return
    planned = {grid.task(order_index).task_id for order_index in range(len(grid))}
    if not tried <= planned:
        added = {name: [level] for name, level in grid.added.items()}
        old = {**old, "factors": added | old["factors"]}
        raise SpecChanged(
            f"{folder}: holds rows of another spec of the same name, and the change does more than add cells"
            f"{', rounds or iterations' * grid.is_timed}:\n{_difference(old, new)}\n"
            "take the change back, give the spec another name, or choose another --out"
        )


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    before, after = _flat(old), _flat(new)
    lines = [
        f"  {key}: rows on disk {json.dumps(before.get(key))}, this spec {json.dumps(after.get(key))}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]
    return "\n".join(lines)


def _flat(sweep: dict[str, Any]) -> dict[str, Any]:
    factors = {f"factors.{name}": levels for name, levels in sweep["factors"].items()}
    return {key: value for key, value in sweep.items() if key not in ("factors", "figure")} | factors
