"""Reads a sweep file: TOML in, checked Spec out; every mistake is one line with file, key, seen and allowed.

Mistakes that are found together are told together: the keys of a file first, then levels, rules and figures.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa
from pydantic import ValidationError

from sweeps.errors import UserError
from sweeps.plan.declaration import Registry
from sweeps.plan.spec import MAX_SEED, Defaults, Figure, Spec, Sweep
from sweeps.plan.spec_checks import duplicates, mistakes_in
from sweeps.plan.spec_file import apply_override, read_content
from sweeps.plan.validation_messages import reason_of, shown
from sweeps.task import Level

MOST_TOLD: Final = 20
"""Mistakes of a spec that are told at once."""


def read_spec(source: str, overrides: Sequence[str], registry: Registry) -> Spec:
    """Read a TOML path or built-in name, apply `--set` overrides, check everything.

    Args:
        source: a path (anything that ends in .toml or has a slash) or a built-in's name.
        overrides: `<sweep>.<key path>=<TOML value>`, in order.

    Raises:
        UserError: a line for each mistake, with file, key, what was seen and what is allowed.
    """
    label, content, origins = read_content(source, registry)
    overridden, mistakes = set(), []
    for override in overrides:
        try:
            overridden.add(apply_override(content, override, label, registry))
        except UserError as error:
            mistakes.append(str(error))
    _refuse(mistakes)
    try:
        spec = Spec.model_validate(content)
    except ValidationError as error:
        raise _refusal(_explain(detail, label, content, origins) for detail in error.errors()) from error
    mistakes += duplicates((sweep.name for sweep in spec.sweep), f"{label}: sweep names")
    sweeps = []
    for sweep, origin in zip(spec.sweep, origins, strict=True):
        given = {keys[-1] for name, *keys in overridden if name == sweep.name}
        checked = _with_floats(sweep, registry)
        mistakes += mistakes_in(checked, registry, f"{origin}: sweep {sweep.name!r}", given)
        sweeps.append(checked)
    _refuse(mistakes)
    return spec.model_copy(update={"sweep": sweeps})


def _refuse(mistakes: Sequence[str]) -> None:
    if mistakes:
        raise _refusal(mistakes)


def _refusal(mistakes: Iterable[str]) -> UserError:
    """Return the error that tells the mistakes, each once and on a line of its own."""
    lines = list(dict.fromkeys(mistakes))
    more = [f"and {len(lines) - MOST_TOLD:,} more mistakes"] if len(lines) > MOST_TOLD else []
    return UserError("\n".join([*lines[:MOST_TOLD], *more]))


def _with_floats(sweep: Sweep, registry: Registry) -> Sweep:
    """Return the sweep with whole numbers as floats where the column holds floats: 0 and 0.0 are one level."""
    if sweep.benchmark not in registry:
        return sweep
    columns = registry[sweep.benchmark].columns.schema

    def typed(name: str, level: Level) -> Level:
        is_float = name in columns.names and pa.types.is_floating(columns.field(name).type)
        return float(level) if is_float and type(level) is int and abs(level) < MAX_SEED else level

    factors = {name: [typed(name, level) for level in levels] for name, levels in sweep.factors.items()}
    return sweep.model_copy(update={"factors": factors})


def with_defaults(spec: Spec, defaults: Defaults, registry: Registry) -> Spec:
    """Return the spec with every factor spelled out, in the order in which the benchmark declares them."""
    return spec.model_copy(update={"sweep": [complete(sweep, defaults, registry) for sweep in spec.sweep]})


def complete(sweep: Sweep, defaults: Defaults, registry: Registry) -> Sweep:
    """Return a sweep with every factor spelled out."""
    known: dict[str, Any] = {
        name: field.get_default(call_default_factory=True)
        for name, field in registry[sweep.benchmark].factors.model_fields.items()
        if not field.is_required()
    } | defaults.model_dump()
    declared = registry[sweep.benchmark].factors.model_fields
    levels = {name: sweep.factors.get(name) or [known[name]] for name in declared}
    return sweep.model_copy(update={"factors": levels})


def _explain(detail: Any, label: str, content: dict[str, Any], origins: Sequence[str]) -> str:
    """Explain a mistake that pydantic found, an entry of `errors()`, by the keys of the file."""
    location = list(detail["loc"])
    where = label
    if len(location) >= 2 and location[0] == "sweep" and isinstance(location[1], int):
        table = content["sweep"][location[1]]
        name = table.get("name", f"number {location[1] + 1}") if isinstance(table, dict) else location[1] + 1
        where, location = f"{origins[location[1]]}: sweep {name!r}", location[2:]
    key = ".".join(map(str, location))
    if detail["type"] == "extra_forbidden":
        model = Sweep if "sweep " in where else Spec
        model = Figure if "figure" in key else model  # type: ignore[assignment]
        near = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{where}, key {key!r}: unknown{hint}; allowed are {', '.join(model.model_fields)}"
    if detail["type"] == "missing":
        return f"{where}: key {key!r} is missing"
    return f"{where}, key {key!r}: seen {shown(detail['input'])}; {reason_of(detail)}"
