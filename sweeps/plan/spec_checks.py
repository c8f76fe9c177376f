"""Checks a sweep against its benchmark: factors, levels, exclusions, figure; every mistake is one sentence."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated, Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from sweeps.plan.declaration import Factors, Registry, unusable_in
from sweeps.plan.spec import Defaults, Sweep
from sweeps.plan.validation_messages import reason_of, shown
from sweeps.schema import Columns
from sweeps.task import Level, digest


def mistakes_in(sweep: Sweep, registry: Registry, where: str, overridden: Collection[str]) -> Iterator[str]:
    """Check everything in a sweep that depends on its benchmark, and yield every mistake.

    Args:
        sweep: with the levels of its file.
        registry: of all benchmarks.
        where: file and sweep, for messages.
        overridden: factors that `--set` names: an exclusion rule may name a level that `--set` took away.
    """
    if reason := unusable_in(registry).get(sweep.benchmark):
        yield f"{where}, benchmark: {sweep.benchmark!r} cannot be used: {reason}"
        return
    if sweep.benchmark not in registry:
        yield f"{where}, benchmark: {sweep.benchmark!r} is unknown; choose one of {', '.join(sorted(registry))}"
        return
    yield from _repeats(sweep, timed=registry[sweep.benchmark].timed, where=where)
    yield from _wrong_figure(sweep, registry[sweep.benchmark].columns, where)
    factors = registry[sweep.benchmark].factors
    columns = registry[sweep.benchmark].columns.schema
    for name, levels in sweep.factors.items():
        if name not in factors.model_fields:
            yield _unknown(name, factors, f"{where}, factors.{name}")
            continue
        yield from _wrong_levels(levels, factors, name, f"{where}, factors.{name}")
        if name in columns.names and pa.types.is_integer(columns.field(name).type):
            yield from _beyond(levels, columns.field(name).type, f"{where}, factors.{name}")
    required = {name for name, field in factors.model_fields.items() if field.is_required()}
    for name in sorted(required - set(sweep.factors) - set(Defaults.model_fields)):
        yield f"{where}: benchmark {sweep.benchmark!r} needs factors.{name}, a list of levels"
    for index, rule in enumerate(sweep.exclude):
        yield from _wrong_exclude(rule, sweep, factors, f"{where}, exclude[{index}]", overridden)


def _repeats(sweep: Sweep, *, timed: bool, where: str) -> Iterator[str]:
    """Yield repeats of a sweep that measures no times: every text would count several times."""
    for key, once in () if timed else (("iterations", 1), ("warmup", 0), ("rounds", 1)):
        seen = getattr(sweep, key)
        if key in sweep.model_fields_set and seen != once:
            yield (
                f"{where}, key {key!r}: seen {seen}; benchmark {sweep.benchmark!r} measures no times and scores each "
                f"text once; leave {key} out"
            )


def _wrong_figure(sweep: Sweep, columns: Columns, where: str) -> Iterator[str]:
    """Yield columns of a figure that the sweep's rows will not have."""
    if sweep.figure is None:
        return
    schema = columns.schema
    numeric = [name for name in (*columns.metrics, "duration_s") if _is_number(schema.field(name).type)]
    for place, column in sweep.figure:
        allowed = numeric if place == "y" else schema.names
        if column is not None and column not in allowed:
            near = difflib.get_close_matches(column, allowed, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            kind = "metric in numbers" if place == "y" else "column"
            yield f"{where}, figure.{place}: {column!r} is no {kind} of its rows{hint}; {', '.join(allowed)}"


def _is_number(column: pa.DataType) -> bool:
    return bool(pa.types.is_integer(column) or pa.types.is_floating(column))


def _beyond(levels: list[Level], column: pa.DataType, where: str) -> Iterator[str]:
    """Yield whole numbers that the factor's column cannot hold: their rows could not be written."""
    most = 2 ** (column.bit_width - 1) - 1
    for index, level in enumerate(levels):
        if isinstance(level, int) and not -most - 1 <= level <= most:
            yield f"{where}[{index}]: seen {level}; allowed is up to {most:,} ({column} in the rows)"


def _unknown(name: str, factors: type[Factors], where: str) -> str:
    near = difflib.get_close_matches(name, factors.model_fields, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"{where}: no such factor{hint}; allowed are {', '.join(factors.model_fields)}"


def _wrong_levels(levels: list[Level], factors: type[Factors], name: str, where: str) -> Iterator[str]:
    if not levels:
        yield f"{where}: the list of levels is empty; give at least one, or leave the factor out"
    wrong = [
        mistake
        for index, level in enumerate(levels)
        for mistake in _wrong_level(level, factors, name, f"{where}[{index}]")
    ]
    yield from wrong
    if not wrong:  # else a level may be nothing that has a digest
        yield from duplicates((digest(level) for level in levels), where, levels)


def _wrong_level(level: Level, factors: type[Factors], name: str, where: str) -> Iterator[str]:
    field = factors.model_fields[name]
    annotated: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotated)
    try:
        adapter.validate_python(level, strict=True)
    except ValidationError as error:
        yield f"{where}: seen {shown(level)}; {reason_of(error.errors()[0])}"


def _wrong_exclude(
    rule: dict[str, Any], sweep: Sweep, factors: type[Factors], where: str, overridden: Collection[str]
) -> Iterator[str]:
    """Yield why a rule excludes nothing, mostly a typo; a rule may name levels that `--set` took away."""
    if not rule:
        yield f"{where}: an empty rule would exclude every cell; name at least one factor"
    for name, value in rule.items():
        if name not in factors.model_fields:
            yield _unknown(name, factors, f"{where}.{name}")
            continue
        levels = sweep.factors.get(name)
        if levels is None or value in levels or name in overridden:
            continue
        for level in value if isinstance(value, list) else [value]:
            if level not in levels:
                yield (
                    f"{where}.{name}: {level!r} is not a level of that factor, so the rule would exclude nothing; "
                    f"its levels are {', '.join(map(repr, levels))}"
                )


def duplicates(keys: Iterable[str], where: str, levels: Sequence[Level] | None = None) -> Iterator[str]:
    """Yield a sentence on each key that is there twice, with the level of the second one where `levels` are given."""
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key in seen:
            yield f"{where}: {key if levels is None else levels[index]!r} stands twice; once is enough"
        seen.add(key)
