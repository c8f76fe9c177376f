"""Benchmarks of installed packages, found by their entry points; a wrong entry point has one clear reason.

A package offers a benchmark in its pyproject.toml (docs/extending.md has a complete example):

    [project.entry-points."sweeps.benchmarks"]
    my_benchmark = "my_package.my_module:MyBenchmark"
"""

import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any, Final

from actors.benchmarks.base import Benchmark
from sweeps.errors import UserError
from sweeps.plan.declaration import ENTRY_POINT_GROUP, Factors
from sweeps.schema import COMMON, Columns

HELP: Final = "docs/extending.md has a complete example"


def load_entry_points(built_in: Collection[str]) -> tuple[Mapping[str, Benchmark], Mapping[str, str]]:
    """Return the benchmarks of all installed packages by name, and the reasons for those that cannot be used.

    A name that two packages offer cannot be used: nobody knows which of the two a spec means. The name of a built-in
    benchmark always means that one; the reason stands under the name with its package, so that no run is refused.

    Args:
        built_in: names that are taken.
    """
    found: dict[str, Benchmark] = {}
    unusable: dict[str, str] = {}
    owners: dict[str, str] = {}
    for point in sorted(_entry_points(), key=lambda point: (_package(point), point.name)):
        if point.name in built_in:
            unusable[f"{point.name} of package {_package(point)}"] = (
                f"{_described(point)}: the name {point.name!r} means the built-in benchmark, which is used; rename the "
                "entry point"
            )
            continue
        if point.name in owners:
            unusable[point.name] = (
                f"{_described(point)}: the name {point.name!r} is taken by {owners[point.name]}; rename the entry "
                "point, or uninstall one of them"
            )
            continue
        owners[point.name] = f"package {_package(point)!r}"
        try:
            found[point.name] = _load(point)
        except UserError as error:
            unusable[point.name] = str(error)
    return found, unusable


def _entry_points() -> Iterator[EntryPoint]:
    """Yield those of every installed package; of a package that is there twice, those of the one that is imported.

    Python puts the working directory on the path. A package that lies there, such as a folder that somebody downloaded,
    was not installed, and must not run because a command is given there; unless PYTHONPATH names the directory.
    """
    here, wanted = str(Path.cwd()), os.environ.get("PYTHONPATH")
    is_wanted = bool(wanted) and here in map(os.path.abspath, str(wanted).split(os.pathsep))
    path = [place for place in sys.path if is_wanted or place not in ("", here)]
    seen: set[str] = set()
    for package in distributions(path=path):
        points = package.entry_points.select(group=ENTRY_POINT_GROUP)
        if points and package.name not in seen:  # the name is asked of few: each costs the reading of a file
            seen.add(package.name)
            yield from points


def _load(point: EntryPoint) -> Benchmark:
    try:
        loaded = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a test framework's skip is no Exception
        raise UserError(
            f"{_described(point)}: cannot be imported ({_one_line(error)}); mend or uninstall the package"
        ) from error
    try:
        benchmark: Benchmark = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{_described(point)}: is no benchmark: {loaded!r} cannot be made without arguments ({_one_line(error)}); "
            f"{HELP}"
        ) from error
    if problems := "; ".join(_problems(benchmark)):
        raise UserError(f"{_described(point)}: is no benchmark: {problems}; {HELP}")
    return benchmark


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _problems(benchmark: Any) -> Iterator[str]:
    """Yield what keeps an object from being a benchmark: missing members first, then members of a wrong kind."""
    members = _members(Benchmark)
    if missing := [name for name in members if not hasattr(benchmark, name)]:
        yield f"it lacks {', '.join(missing)}"
        return
    for name, kind in members.items():
        if kind is Callable and not callable(getattr(benchmark, name)):
            yield f"{name} is no method"
    if not isinstance(benchmark.columns, Columns):
        yield f"columns is no Columns of sweeps.schema, but {benchmark.columns!r}"
    elif not (isinstance(benchmark.factors, type) and issubclass(benchmark.factors, Factors)):
        yield f"factors is no subclass of sweeps.plan.declaration.Factors, but {benchmark.factors!r}"
    else:
        yield from _mismatches(benchmark)


def _mismatches(benchmark: Benchmark) -> Iterator[str]:
    """Yield contradictions between a benchmark's factors, its columns, and its other declarations."""
    factors = benchmark.factors.model_fields.keys()
    if undeclared := factors - COMMON.keys() - benchmark.columns.factors.keys():
        yield f"columns.factors lacks {', '.join(sorted(undeclared))}, which its factors have"
    if unknown := benchmark.columns.factors.keys() - factors:
        yield f"columns.factors has {', '.join(sorted(unknown))}, which its factors lack"
    named = {*benchmark.load_factors, *filter(None, [benchmark.memory_grows_with])}
    if foreign := named - factors:
        yield f"load_factors or memory_grows_with names {', '.join(sorted(foreign))}, which its factors lack"


def _members(protocol: type) -> dict[str, Any]:
    """Return the names that a class must have to satisfy a protocol; methods are marked with Callable."""
    members: dict[str, Any] = {}
    for parent in reversed(protocol.__mro__):
        if getattr(parent, "_is_protocol", False):
            members |= inspect.get_annotations(parent)
            members |= {name: Callable for name, value in vars(parent).items() if inspect.isfunction(value)}
    return {name: kind for name, kind in members.items() if not name.startswith("_")}


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def _described(point: EntryPoint) -> str:
    return f"entry point '{point.name} = {point.value}' of package {_package(point)!r}"
