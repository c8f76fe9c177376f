"""A spec cut down to what this machine can do in minutes: the same sweeps, on the built-in models and the CPU.

A factor that is marked by `rehearsed_with` takes other levels, long lists of numbers are cut, and the rest stays as it
is. So a rehearsal runs the code of the real sweep, and its rows fill the same sections of a report. Every sweep keeps a
cell, whatever its rules exclude.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sweeps.errors import UserError
from sweeps.plan.cells import Cells
from sweeps.plan.declaration import Registry, stand_ins
from sweeps.plan.spec import DEFAULT_CORES, Defaults, Spec, Sweep
from sweeps.plan.spec_reader import complete
from sweeps.run_layout import REHEARSAL
from sweeps.task import Level

LONGEST_NAME: Final = 64
MOST_NUMBERS: Final = 3
"""Levels of a factor of numbers. The smallest ones stay: they cost the least."""
MOST_ITERATIONS: Final = 3
Levels = Mapping[str, list[Level]]
"""Levels by factor."""


def rehearsed(spec: Spec, registry: Registry, cores: int) -> Spec:
    """Return the spec as it is rehearsed on a machine with so many cores.

    Raises:
        UserError: the rules of a sweep leave no cell that this machine can rehearse.
    """
    name = spec.name[: LONGEST_NAME - len(REHEARSAL)] + REHEARSAL
    return spec.model_copy(update={"name": name, "sweep": [_sweep(sweep, registry, cores) for sweep in spec.sweep]})


def changes(spec: Spec, rehearsal: Spec) -> list[str]:
    """Return a line about each factor and number of repeats that is another one, and about each rule left out."""
    lines = []
    for before, after in zip(spec.sweep, rehearsal.sweep, strict=True):
        for name, levels in after.factors.items():
            if levels != (old := before.factors.get(name)):
                was = f"{len(old)} levels" if old and len(old) > 1 else json.dumps(old[0]) if old else "default"
                lines.append(f"{before.name}: {name} is {json.dumps(levels)} in place of {was}")
        lines += [
            f"{before.name}: {key} is {getattr(after, key)} in place of {getattr(before, key)}"
            for key in ("iterations", "warmup", "rounds")
            if getattr(after, key) != getattr(before, key)
        ]
        if left_out := len(before.exclude) - len(after.exclude):
            lines.append(f"{before.name}: {left_out} of {len(before.exclude)} rules of [[sweep.exclude]] do not apply")
    return lines


def _sweep(sweep: Sweep, registry: Registry, cores: int) -> Sweep:
    replaced = stand_ins(registry[sweep.benchmark].factors)
    factors = {name: _possible(name, levels, replaced, cores) for name, levels in sweep.factors.items()}
    factors.setdefault("device", replaced["device"][:1])
    rules = [rule for rule in sweep.exclude if not rule.keys() & replaced.keys()]
    possible = sweep.model_copy(
        update={
            "factors": factors,
            "exclude": rules,
            "iterations": min(sweep.iterations, MOST_ITERATIONS),
            "warmup": min(sweep.warmup, 1),
            "rounds": 1,
        }
    )
    few = {name: levels if name in replaced else _few(name, levels) for name, levels in factors.items()}
    return possible.model_copy(update={"factors": _with_a_cell(possible, few, registry, cores)})


def _possible(name: str, levels: Sequence[Level], replaced: Levels, cores: int) -> list[Level]:
    """Return every level that this machine can rehearse, numbers in rising order."""
    if name in replaced:  # as many as there were, so that a comparison stays one
        return replaced[name][: len(levels)]
    if not _are_numbers(levels):
        return list(levels)
    if name == "cpu_cores":
        return sorted(level for level in levels if level <= cores) or [cores]  # type: ignore[operator, type-var]
    return sorted(levels) if len(levels) > MOST_NUMBERS else list(levels)  # type: ignore[type-var]


def _few(name: str, levels: list[Level]) -> list[Level]:
    """Return the levels to keep of a factor that is not replaced."""
    if not _are_numbers(levels):
        return levels
    return [*dict.fromkeys([levels[0], levels[-1]])] if name == "cpu_cores" else levels[:MOST_NUMBERS]


def _are_numbers(levels: Sequence[Level]) -> bool:
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)


def _with_a_cell(possible: Sweep, few: Levels, registry: Registry, cores: int) -> Levels:
    """Return the few levels; where rules exclude all of their cells, with the levels of the first cell that is left.

    Args:
        possible: the sweep with all levels that could be rehearsed.
        few: levels to keep of each factor.
        registry: of benchmarks, for the defaults of factors that the sweep leaves out.
        cores: of this machine.

    Raises:
        UserError: the rules leave no cell of `possible`.
    """
    defaults = Defaults(device="cpu", cpu_cores=min(DEFAULT_CORES, cores))
    if _first_cell(complete(possible.model_copy(update={"factors": few}), defaults, registry)) is not None:
        return few
    cell = _first_cell(complete(possible, defaults, registry))
    if cell is None:
        raise UserError(
            f"sweep {possible.name!r}: nothing of it can be rehearsed here: the rules of [[sweep.exclude]] leave out "
            f"every cell with cpu_cores up to {cores}, which this machine has; take the rules out of the rehearsal "
            f"with --set {possible.name}.exclude=[]"
        )
    return {name: levels if cell[name] in levels else [*levels[:-1], cell[name]] for name, levels in few.items()}


def _first_cell(sweep: Sweep) -> Mapping[str, Level] | None:
    return next(Cells(sweep).measured(), None)
