"""From a spec and what its run directory holds to the one plan of a run.

The dry run shows it, what is wrong is refused here, and the coordinator runs it. A changed spec of the same name is
refused with the difference, unless the change only adds: cells, or to timed sweeps rounds and iterations.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.cells import Cells
from sweeps.errors import SpecChanged, UserError
from sweeps.factors import Catalogue, Declaration
from sweeps.plan import Grid, Plan
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
        stored = read_stored(folder) if _holds_tried(folder) else Stored()
        grid = _grid(sweep, declaration, stored, folder, progress)
        grid.check()
        if stored.sweep is not None:
            _refuse_changed(folder, stored.sweep, grid, timed=declaration.timed)
        grids.append(grid)
        known[sweep.name] = known_rows(folder)
    planned = spec.model_copy(update={"sweep": [grid.sweep for grid in grids]})
    return Plan(planned, grids, directory.absolute(), known)


def _holds_tried(folder: Path) -> bool:
    """Whether there are rows that a changed spec could be mixed with: what was unavailable was never tried."""
    statuses = read_on_disk(folder, None, lambda _part, _error: None).statuses.values()
    return any(status != "unavailable" for status in statuses) or (not statuses and any(folder.glob(PART)))


def _grid(
    sweep: Sweep, declaration: Declaration, stored: Stored, folder: Path, progress: Callable[[str], object]
) -> Grid:
    try:
        inputs = declaration.open_inputs(sweep.factors, _known_inputs(stored), progress)
    except UserError as error:
        raise UserError(f"sweep {sweep.name!r}: {error}") from error
    factors = {name: [inputs.canonical(name, level) for level in levels] for name, levels in sweep.factors.items()}
    for name, levels in factors.items():
        if len({digest(level) for level in levels}) < len(levels):
            raise UserError(
                f"sweep {sweep.name!r}, factors.{name}: two levels are one corpus, by content and by what {folder} has "
                f"of it: {json.dumps(sweep.factors[name])}; name it once"
            )
    later = (sweep.iterations,) if sweep.iterations > max(stored.iterations, default=0) else ()
    iterations = (*stored.iterations, *later) if declaration.timed else (sweep.iterations,)
    return Grid(sweep.model_copy(update={"factors": factors}), declaration, inputs, iterations)


def _known_inputs(stored: Stored) -> dict[str, Any]:
    """What the rows are of; of an older version's rows, which corpora there were, and nothing of their content."""
    if stored.inputs is not None:
        return dict(stored.inputs)
    levels = (stored.sweep or {}).get("factors", {}).get("corpus", [])
    return {"corpora": {json.dumps(level): None for level in levels}} if levels else {}


def _refuse_changed(folder: Path, old: dict[str, Any], grid: Grid, *, timed: bool) -> None:
    new = grid.sweep.model_dump(mode="json")
    if not _only_adds(Sweep.model_validate(old), grid, timed=timed):
        raise SpecChanged(
            f"{folder}: holds rows of another spec of the same name, and the change does more than add cells"
            f"{', rounds or iterations' * timed}:\n{_difference(old, new)}\n"
            "take the change back, give the spec another name, or choose another --out"
        )


def _only_adds(old: Sweep, grid: Grid, *, timed: bool) -> bool:
    new = grid.sweep
    if (old.benchmark, old.warmup, old.seed) != (new.benchmark, new.warmup, new.seed):
        return False
    if old.rounds > new.rounds or old.iterations > new.iterations:
        return False
    if not timed and (old.rounds, old.iterations) != (new.rounds, new.iterations):
        return False
    if (old.factors, old.exclude) == (new.factors, new.exclude):
        return True
    if set(old.factors) != set(new.factors):
        return False
    wanted = {digest(levels) for levels in grid.cells.measured()}
    return all(digest(levels) in wanted for levels in Cells(old).measured())


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
