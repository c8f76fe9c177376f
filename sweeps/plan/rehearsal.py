"""A spec cut down to what this machine can do in minutes: the same sweeps, on the built-in models and the CPU.

A factor that is marked by `rehearsed_with` takes other levels, long lists of numbers are cut, and the rest stays as it
is. So a rehearsal runs the code of the real sweep, and its rows fill the same sections of a report.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sweeps.plan.declaration import Registry, stand_ins
from sweeps.plan.spec import Spec, Sweep
from sweeps.run_layout import REHEARSAL
from sweeps.task import Level

LONGEST_NAME: Final = 64
MOST_NUMBERS: Final = 3
"""Levels of a factor of numbers. The smallest ones stay: they cost the least."""
MOST_ITERATIONS: Final = 3


def rehearsed(spec: Spec, registry: Registry, cores: int) -> Spec:
    """Return the spec as it is rehearsed on a machine with so many cores."""
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
    factors = {name: _levels(name, levels, replaced, cores) for name, levels in sweep.factors.items()}
    factors.setdefault("device", replaced["device"][:1])
    return sweep.model_copy(
        update={
            "factors": factors,
            "exclude": [rule for rule in sweep.exclude if not rule.keys() & replaced.keys()],
            "iterations": min(sweep.iterations, MOST_ITERATIONS),
            "warmup": min(sweep.warmup, 1),
            "rounds": 1,
        }
    )


def _levels(name: str, levels: Sequence[Level], replaced: Mapping[str, list[Level]], cores: int) -> list[Level]:
    if name in replaced:  # as many as there were, so that a comparison stays one
        return replaced[name][: len(levels)]
    numbers = [level for level in levels if isinstance(level, int | float) and not isinstance(level, bool)]
    if len(numbers) < len(levels):
        return list(levels)
    if name == "cpu_cores":
        here = sorted(level for level in numbers if level <= cores) or [cores]
        return [*dict.fromkeys([here[0], here[-1]])]
    return [*sorted(numbers)[:MOST_NUMBERS]] if len(numbers) > MOST_NUMBERS else list(levels)
