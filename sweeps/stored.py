"""environment.json, beside the parts: which spec and which environments the rows are of.

A changed spec of the same name is refused with the difference, unless every task that the old one stands for
is one of the new one's too: then the change only adds.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sweeps.errors import SpecChanged
from sweeps.factors import Catalogue
from sweeps.plan import Grid, Plan
from sweeps.sink import PART
from sweeps.spec import Sweep

FILE: Final = "environment.json"


@dataclass(frozen=True)
class Stored:
    """What an environment.json says; empty where there is none."""

    sweep: dict[str, Any] | None = None
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)


def stored_spec(directory: Path) -> Stored:
    """Read the file of one sweep's directory.

    Raises:
        SpecChanged: it is there but cannot be read, so nobody knows what the rows are of.
    """
    path = directory / FILE
    if not path.exists():
        return Stored()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Stored(content["spec"]["sweep"], content["environments"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpecChanged(f"{path}: cannot be read ({error}); move {directory} away to start afresh") from error


def storable(name: str, sweep: Sweep) -> dict[str, Any]:
    """The resolved spec of one sweep, as it is written."""
    return {"name": name, "sweep": sweep.model_dump(mode="json")}


def refuse_changed(plan: Plan, directory: Path, catalogue: Catalogue) -> None:
    """Refuse to mix rows of two specs.

    Raises:
        SpecChanged: with the difference, line by line.
    """
    for grid in plan.grids:
        folder = directory / grid.sweep.name
        old = stored_spec(folder).sweep
        if old is None or not any(folder.glob(PART)):
            continue
        new = grid.sweep.model_dump(mode="json")
        if not _only_adds(old, new, grid, catalogue):
            raise SpecChanged(
                f"{folder}: holds rows of another spec of the same name, and the change does more than add cells:\n"
                f"{_difference(old, new)}\n"
                "take the change back, give the spec another name, or choose another --out"
            )


def _only_adds(old: dict[str, Any], new: dict[str, Any], grid: Grid, catalogue: Catalogue) -> bool:
    if _identity(old) == _identity(new):
        return True
    if old["benchmark"] != new["benchmark"] or set(old["factors"]) != set(new["factors"]):
        return False
    before = Grid(Sweep.model_validate(old), catalogue[grid.sweep.benchmark])
    return _task_ids(before) <= _task_ids(grid)


def _identity(sweep: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sweep.items() if key != "figure"}


def _task_ids(grid: Grid) -> set[str]:
    return {grid.task(order_index).task_id for order_index in range(len(grid))}


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
    return {key: value for key, value in _identity(sweep).items() if key != "factors"} | factors
