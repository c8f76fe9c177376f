"""From a spec and what its run directory holds to the one plan of a run.

The dry run shows it, what is wrong is refused here, and the coordinator runs it. A changed spec of the same name is
refused with the difference where it leaves out a task that was tried: it may add cells, and to timed sweeps rounds and
iterations, and take back what never ran.
"""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from sweeps.errors import SpecChanged, UserError
from sweeps.factors import Catalogue, Declaration
from sweeps.plan import Grid, Plan
from sweeps.schema import MEASURE
from sweeps.sink import PART, read_on_disk
from sweeps.spec import Spec, Sweep
from sweeps.stored import Stored, known_rows, read_stored
from sweeps.task import digest


def make_plan(
    spec: Spec, catalogue: Catalogue, directory: Path, progress: Callable[[str], object] = lambda _: None
) -> Plan:
    """Open the inputs of every sweep, and plan its tasks so that those on disk stay the same.

    Args:
        spec: with every factor spelled out.
        catalogue: what its benchmarks declare.
        directory: of the run; only read.
        progress: told how far the look at large inputs is, from time to time.

    Raises:
        UserError: a cell is impossible, an input cannot be read or changed, or rows on disk are of another spec
            (SpecChanged).
    """
    grids, known = [], {}
    for sweep in spec.sweep:
        folder = directory / sweep.name
        declaration = catalogue[sweep.benchmark]
        on_disk = read_on_disk(folder, MEASURE.get(sweep.benchmark), lambda _part, _error: None)
        # What was unavailable was never tried: no changed spec could be mixed with it.
        tried = {task_id for task_id, status in on_disk.statuses.items() if status != "unavailable"}
        is_new = not tried and (bool(on_disk.statuses) or not any(folder.glob(PART)))
        stored = Stored() if is_new else read_stored(folder)
        grid = _grid(sweep, declaration, stored, _known_inputs(stored, on_disk.revisions), folder, progress)
        grid.check()
        if stored.sweep is not None:
            _refuse_changed(folder, stored.sweep, grid, tried)
        grids.append(grid)
        known[sweep.name] = known_rows(folder)
    planned = spec.model_copy(update={"sweep": [grid.sweep for grid in grids]})
    return Plan(planned, grids, directory.absolute(), known)


def _grid(
    sweep: Sweep,
    declaration: Declaration,
    stored: Stored,
    known: Mapping[str, Any],
    folder: Path,
    progress: Callable[[str], object],
) -> Grid:
    try:
        inputs = declaration.open_inputs(sweep.factors, known, progress)
    except UserError as error:
        raise UserError(f"sweep {sweep.name!r}: {error}") from error
    factors = {name: [inputs.canonical(name, level) for level in levels] for name, levels in sweep.factors.items()}
    for name, levels in factors.items():
        if len({digest(level) for level in levels}) < len(levels):
            raise UserError(
                f"sweep {sweep.name!r}, factors.{name}: two levels are one corpus, by content and by what {folder} has "
                f"of it: {json.dumps(sweep.factors[name])}; name it once"
            )
    earlier = [iterations for iterations in stored.iterations if iterations < sweep.iterations]
    iterations = (*earlier, sweep.iterations) if declaration.timed else (sweep.iterations,)
    return Grid(sweep.model_copy(update={"factors": factors}), declaration, inputs, iterations)


def _known_inputs(stored: Stored, revisions: Collection[str]) -> dict[str, Any]:
    """Record of what the rows are of; of an older version's, which corpora there were, and nothing of their content.

    A model binds where something was measured with it: one that was damaged, say, may be mended.
    """
    if stored.inputs is not None:
        models: Mapping[str, str] = stored.inputs.get("models", {})
        measured = {name: revision for name, revision in models.items() if revision in revisions}
        return {**stored.inputs, "models": measured, "unmeasured": dict(models.items() - measured.items())}
    if stored.sweep is None:
        return {}
    return {"corpora": {json.dumps(level): None for level in stored.sweep["factors"].get("corpus", [])}, "models": None}


def _refuse_changed(folder: Path, old: dict[str, Any], grid: Grid, tried: set[str]) -> None:
    """Refuse a spec that leaves out what was tried; what was not may come and go."""
    new = grid.sweep.model_dump(mode="json")
    if old == new:
        return
    planned = {grid.task(order_index).task_id for order_index in range(len(grid))}
    if not tried <= planned:
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
