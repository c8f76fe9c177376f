"""A sweep file, TOML in, checked Spec out; every mistake is one message with file, key, seen and allowed.

Knows which keys a spec has; what factors a benchmark has it is told by the catalogue. Paths in the result are absolute:
a file's are relative to the file, those of `--set` to the caller's directory. Expansion into tasks is plan.py's.
"""

import contextlib
import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sweeps.errors import UserError
from sweeps.factors import Catalogue, Factors
from sweeps.mistakes import reason_of
from sweeps.schema import METRICS, schema_of
from sweeps.task import Level, digest

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RESERVED_NAMES: Final = ("report",)
"""Directories of a run that are not sweeps."""
MAX_REPEATS: Final = 1_000_000
MAX_SHOWN: Final = 200
"""Characters of a wrong value that a message shows."""
MAX_SEED: Final = 2**63 - 1
"""Largest seed that every generator takes."""


def _is_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise ValueError(
            "a name becomes a directory: letters, digits, '_', '-' and '.', at most 64, no path, "
            f"and not {' or '.join(map(repr, RESERVED_NAMES))}"
        )
    return name


Name = Annotated[str, AfterValidator(_is_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Figure(_Strict):
    """Which columns the report draws for a sweep; left out, it chooses."""

    y: str
    x: str
    panel: str | None = None
    series: str | None = None


class Sweep(_Strict):
    """A grid of factors and the one benchmark that is measured in every cell of it."""

    name: Name
    benchmark: str
    iterations: int = Field(default=3, ge=1, le=MAX_REPEATS)
    warmup: int = Field(default=1, ge=0, le=MAX_REPEATS)
    rounds: int = Field(default=1, ge=1, le=MAX_REPEATS)
    """How often the whole grid is gone through, each time in a fresh order."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    factors: dict[str, list[Any]] = Field(default_factory=dict)
    exclude: list[dict[str, Any]] = Field(default_factory=list)
    figure: Figure | None = None


class Spec(_Strict):
    """A named set of sweeps that run together and share a run directory."""

    name: Name
    sweep: list[Sweep] = Field(min_length=1)


class Defaults(_Strict):
    """Levels that depend on the cluster, for factors that a spec leaves out."""

    device: str
    cpu_cores: int


def builtin_names() -> list[str]:
    """Specs that ship inside the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in _builtin_directory().iterdir())


def read_spec(source: str, overrides: Sequence[str], catalogue: Catalogue) -> Spec:
    """Read a TOML path or built-in name, apply `--set` overrides, check everything.

    Args:
        source: a path (anything that ends in .toml or has a slash) or a built-in's name.
        overrides: `<sweep>.<key path>=<TOML value>`, in order.

    Raises:
        UserError: with file, key, what was seen and what is allowed.
    """
    label, text, base = _read(source)
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UserError(f"{label}: not TOML: {error}") from error
    _make_paths_absolute(content, base, catalogue)
    overridden = set()
    for override in overrides:
        overridden.add(_override(content, override, label, catalogue))
    try:
        spec = Spec.model_validate(content)
    except ValidationError as error:
        raise UserError(_explain(error, label, content)) from error
    _refuse_duplicates((sweep.name for sweep in spec.sweep), f"{label}: sweep names")
    sweeps = []
    for sweep in spec.sweep:
        given = {keys[-1] for name, *keys in overridden if name == sweep.name}
        checked = _with_floats(sweep, catalogue)
        _check_sweep(checked, catalogue, f"{label}: sweep {sweep.name!r}", given)
        sweeps.append(checked)
    return spec.model_copy(update={"sweep": sweeps})


def _with_floats(sweep: Sweep, catalogue: Catalogue) -> Sweep:
    """The sweep with whole numbers written as what their columns hold: 0 and 0.0 are one level."""
    if sweep.benchmark not in catalogue:
        return sweep
    columns = schema_of(sweep.benchmark)

    def typed(name: str, level: Level) -> Level:
        is_float = name in columns.names and pa.types.is_floating(columns.field(name).type)
        return float(level) if is_float and type(level) is int and abs(level) < MAX_SEED else level

    factors = {name: [typed(name, level) for level in levels] for name, levels in sweep.factors.items()}
    return sweep.model_copy(update={"factors": factors})


def with_defaults(spec: Spec, defaults: Defaults, catalogue: Catalogue) -> Spec:
    """The same spec with every factor spelled out, in the order in which the benchmark declares them."""
    return spec.model_copy(update={"sweep": [_complete(sweep, defaults, catalogue) for sweep in spec.sweep]})


def _complete(sweep: Sweep, defaults: Defaults, catalogue: Catalogue) -> Sweep:
    known: dict[str, Any] = {
        name: field.get_default(call_default_factory=True)
        for name, field in catalogue[sweep.benchmark].factors.model_fields.items()
        if not field.is_required()
    } | defaults.model_dump()
    declared = catalogue[sweep.benchmark].factors.model_fields
    levels = {name: sweep.factors.get(name) or [known[name]] for name in declared}
    return sweep.model_copy(update={"factors": levels})


def _read(source: str) -> tuple[str, str, Path]:
    """Read a spec: its name in messages, its text, and the directory that its paths are relative to."""
    if source.endswith(".toml") or "/" in source:
        path = Path(source).expanduser()
        # Resolved, so that `..` leads to where it leads for the system.
        return source, _read_file(path), path.absolute().parent.resolve()
    builtin = _builtin_directory() / f"{source}.toml"
    if not builtin.is_file():
        near = difflib.get_close_matches(source, builtin_names(), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        if Path(f"{source}.toml").is_file() or Path(source).is_file():
            hint = f" (did you mean ./{source if Path(source).is_file() else source + '.toml'}?)"
        raise UserError(
            f"spec {source!r} is not built in{hint}; built in are {', '.join(builtin_names())}; "
            "a file is given by its path, ending in .toml"
        )
    return f"{source} (built in)", builtin.read_text(encoding="utf-8"), Path.cwd()


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark in front
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; built-in specs are {', '.join(builtin_names())}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not TOML: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _make_paths_absolute(content: dict[str, Any], base: Path, catalogue: Catalogue) -> None:
    """Make every relative path among the levels absolute, in place; what is of the wrong type is checked later.

    By the factor's name alone, because an override may give a sweep another benchmark.
    """
    paths = {name: absolute for known in catalogue.values() for name, absolute in known.paths.items()}
    for table in _tables(content):
        rules = table.get("exclude")
        for group in (table.get("factors"), *(rules if isinstance(rules, list) else ())):
            for name in group.keys() & paths.keys() if isinstance(group, dict) else ():
                with contextlib.suppress(ValueError):  # no name at all: that is told where levels are checked
                    group[name] = paths[name](group[name], base)


def _tables(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sweeps = content.get("sweep")
    return (table for table in (sweeps if isinstance(sweeps, list) else ()) if isinstance(table, dict))


def _builtin_directory() -> Any:
    return resources.files("sweeps") / "specs"


def _override(content: dict[str, Any], override: str, label: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Put one `<sweep>.<key path>=<TOML value>` into the raw content; the path, split."""
    path, equals, value_text = override.partition("=")
    sweep_name, *keys = path.strip().split(".")
    if not _is_text(override):
        raise UserError(f"--set {override!r}: holds bytes that are not UTF-8 text")
    if not equals or not all(keys) or not keys:
        raise UserError(f"--set {override!r}: write <sweep>.<key path>=<TOML value>, as in {_SET_EXAMPLE}")
    try:
        if "\n" in value_text:
            raise tomllib.TOMLDecodeError("more than one line")
        value = tomllib.loads(f"value = {value_text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UserError(
            f"--set {override!r}: {value_text!r} is not a TOML value ({error}); strings need quotes, "
            f"as in {_SET_EXAMPLE}"
        ) from error
    named = [table for table in _tables(content) if table.get("name") == sweep_name]
    if not named:
        names = [str(table.get("name")) for table in _tables(content)]
        raise UserError(f"--set {override!r}: {label} has no sweep {sweep_name!r}; it has {', '.join(names)}")
    table = named[0]
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise UserError(f"--set {override!r}: {key!r} is not a table in {label}")
    # Only what this override brings: the file's own names mean what they mean beside the file.
    for key in reversed(keys):
        value = {key: value}
    _make_paths_absolute({"sweep": [value]}, Path.cwd(), catalogue)
    for key in keys:
        value = value[key]
    table[keys[-1]] = value
    return sweep_name, *keys


_SET_EXAMPLE: Final = "--set 'generation.factors.model=[\"builtin://tiny-base\"]'"


def _check_sweep(sweep: Sweep, catalogue: Catalogue, where: str, overridden: Collection[str]) -> None:
    if sweep.benchmark not in catalogue:
        raise UserError(
            f"{where}, benchmark: {sweep.benchmark!r} is unknown; choose one of {', '.join(sorted(catalogue))}"
        )
    _refuse_repeats(sweep, timed=catalogue[sweep.benchmark].timed, where=where)
    _check_figure(sweep, where)
    factors = catalogue[sweep.benchmark].factors
    columns = schema_of(sweep.benchmark)
    for name, levels in sweep.factors.items():
        _check_known(name, factors, f"{where}, factors.{name}")
        _check_levels(levels, factors, name, f"{where}, factors.{name}")
        if name in columns.names and pa.types.is_integer(columns.field(name).type):
            _refuse_beyond(levels, columns.field(name).type, f"{where}, factors.{name}")
    required = {name for name, field in factors.model_fields.items() if field.is_required()}
    for name in sorted(required - set(sweep.factors) - set(Defaults.model_fields)):
        raise UserError(f"{where}: benchmark {sweep.benchmark!r} needs factors.{name}, a list of levels")
    for index, rule in enumerate(sweep.exclude):
        _check_exclude(rule, sweep, factors, f"{where}, exclude[{index}]", overridden)


def _refuse_repeats(sweep: Sweep, *, timed: bool, where: str) -> None:
    """Repeats of what is the same each time would count every text several times: intervals too narrow."""
    for key, once in () if timed else (("iterations", 1), ("warmup", 0), ("rounds", 1)):
        seen = getattr(sweep, key)
        if key in sweep.model_fields_set and seen != once:
            raise UserError(
                f"{where}, key {key!r}: seen {seen}; benchmark {sweep.benchmark!r} measures no times and scores each "
                f"text once; leave {key} out"
            )


def _check_figure(sweep: Sweep, where: str) -> None:
    """Refuse a figure of columns that the sweep's rows will not have."""
    if sweep.figure is None:
        return
    schema = schema_of(sweep.benchmark)
    numeric = [name for name in (*METRICS[sweep.benchmark], "duration_s") if _is_number(schema.field(name).type)]
    for place, column in sweep.figure:
        allowed = numeric if place == "y" else schema.names
        if column is not None and column not in allowed:
            near = difflib.get_close_matches(column, allowed, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            kind = "metric in numbers" if place == "y" else "column"
            raise UserError(f"{where}, figure.{place}: {column!r} is no {kind} of its rows{hint}; {', '.join(allowed)}")


def _is_number(column: pa.DataType) -> bool:
    return bool(pa.types.is_integer(column) or pa.types.is_floating(column))


def _refuse_beyond(levels: list[Level], column: pa.DataType, where: str) -> None:
    """Refuse whole numbers that the factor's column cannot hold: their rows could not be written."""
    most = 2 ** (column.bit_width - 1) - 1
    for index, level in enumerate(levels):
        if isinstance(level, int) and not -most - 1 <= level <= most:
            raise UserError(f"{where}[{index}]: seen {level}; allowed is up to {most:,} ({column} in the rows)")


def _check_known(name: str, factors: type[Factors], where: str) -> None:
    if name not in factors.model_fields:
        near = difflib.get_close_matches(name, factors.model_fields, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UserError(f"{where}: no such factor{hint}; allowed are {', '.join(factors.model_fields)}")


def _check_levels(levels: list[Level], factors: type[Factors], name: str, where: str) -> None:
    if not levels:
        raise UserError(f"{where}: the list of levels is empty; give at least one, or leave the factor out")
    for index, level in enumerate(levels):
        _check_level(level, factors, name, f"{where}[{index}]")
    _refuse_duplicates((digest(level) for level in levels), where, shown=levels)


def _check_level(level: Level, factors: type[Factors], name: str, where: str) -> None:
    field = factors.model_fields[name]
    annotated: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotated)
    try:
        adapter.validate_python(level, strict=True)
    except ValidationError as error:
        raise UserError(f"{where}: seen {_shown(level)}; {reason_of(error.errors()[0])}") from error


def _check_exclude(
    rule: dict[str, Any], sweep: Sweep, factors: type[Factors], where: str, overridden: Collection[str]
) -> None:
    """A rule that excludes nothing is a slip of the pen, unless `--set` took the levels away that it is about."""
    if not rule:
        raise UserError(f"{where}: an empty rule would exclude every cell; name at least one factor")
    for name, value in rule.items():
        _check_known(name, factors, f"{where}.{name}")
        levels = sweep.factors.get(name)
        if levels is None or value in levels or name in overridden:
            continue
        for level in value if isinstance(value, list) else [value]:
            if level not in levels:
                raise UserError(
                    f"{where}.{name}: {level!r} is not a level of that factor, so the rule would exclude nothing; "
                    f"its levels are {', '.join(map(repr, levels))}"
                )


def _refuse_duplicates(keys: Iterable[str], where: str, shown: Sequence[Level] | None = None) -> None:
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key in seen:
            raise UserError(f"{where}: {key if shown is None else shown[index]!r} stands twice; once is enough")
        seen.add(key)


def _explain(error: ValidationError, label: str, content: dict[str, Any]) -> str:
    """The first mistake that pydantic found, in the terms of the file."""
    first = error.errors()[0]
    location = list(first["loc"])
    where = label
    if len(location) >= 2 and location[0] == "sweep" and isinstance(location[1], int):
        table = content["sweep"][location[1]]
        name = table.get("name", f"number {location[1] + 1}") if isinstance(table, dict) else location[1] + 1
        where, location = f"{label}: sweep {name!r}", location[2:]
    key = ".".join(map(str, location))
    if first["type"] == "extra_forbidden":
        model = Sweep if "sweep " in where else Spec
        model = Figure if "figure" in key else model  # type: ignore[assignment]
        near = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{where}, key {key!r}: unknown{hint}; allowed are {', '.join(model.model_fields)}"
    if first["type"] == "missing":
        return f"{where}: key {key!r} is missing"
    return f"{where}, key {key!r}: seen {_shown(first['input'])}; {reason_of(first)}"


def _is_text(words: str) -> bool:
    """Tell if the words of a command line were UTF-8; Python hands on other bytes as halves of surrogates."""
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
