"""The text of a sweep file and its `--set` overrides, as one dictionary with absolute paths; nothing is checked yet.

A file's paths are relative to the file, those of `--set` to the caller's directory.
"""

import contextlib
import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from sweeps.errors import UserError
from sweeps.plan.declaration import Registry

_SET_EXAMPLE: Final = "--set 'generation.factors.model=[\"builtin://tiny-base\"]'"


def builtin_names() -> list[str]:
    """Return the names of the specs that ship inside the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in _builtin_directory().iterdir())


def read_content(source: str, registry: Registry) -> tuple[str, dict[str, Any], list[str]]:
    """Read a spec and the specs that it includes.

    Return its name in messages, its content with absolute paths, and for each sweep the name of the spec that has it.
    The sweeps of an included spec come first, in the order of the names.

    Raises:
        UserError: a spec cannot be read, is not TOML, or an included spec has other keys or no sweep.
    """
    label, content, base = _read_one(source, registry)
    names = content.pop("include", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{label}, key 'include': seen {names!r}; a list of names of built-in specs or paths is needed")
    included: list[Any] = []
    origins: list[str] = []
    for name in names:
        is_path = name.endswith(".toml") or "/" in name
        inner, other, _ = _read_one(str(base / Path(name).expanduser()) if is_path else name, registry)
        _check_included(inner, other, label)
        included += other["sweep"]
        origins += [inner] * len(other["sweep"])
    own = content.get("sweep", [])
    if isinstance(own, list):
        origins += [label] * len(own)
    if names:
        content["sweep"] = [*included, *own] if isinstance(own, list) else own
    return label, content, origins


def _check_included(inner: str, content: Mapping[str, Any], label: str) -> None:
    """Refuse an included spec from which nothing, or not all that it says, would be taken."""
    if "include" in content:
        raise UserError(f"{label}, key 'include': {inner} includes specs itself; name those here instead")
    for key in sorted(content.keys() - {"name", "sweep"}):
        raise UserError(f"{inner}, key {key!r}: unknown in a spec that {label} includes; allowed are name, sweep")
    sweeps = content.get("sweep")
    if not isinstance(sweeps, list) or not sweeps:
        raise UserError(f"{inner}, key 'sweep': {label} includes it for its sweeps; at least one [[sweep]] is needed")


def _read_one(source: str, registry: Registry) -> tuple[str, dict[str, Any], Path]:
    label, text, base = read_source(source)
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UserError(f"{label}: not TOML: {error}") from error
    make_paths_absolute(content, base, registry)
    return label, content, base


def read_source(source: str) -> tuple[str, str, Path]:
    """Read a spec; return its name in messages, its text, and the directory that its paths are relative to.

    Raises:
        UserError: there is no such file or built-in spec, or the file cannot be read.
    """
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


def make_paths_absolute(content: dict[str, Any], base: Path, registry: Registry) -> None:
    """Make every relative path among the levels absolute, in place; values of a wrong type are refused later."""
    for table in _tables(content):
        paths = _paths(table.get("benchmark"), registry)
        rules = table.get("exclude")
        for group in (table.get("factors"), *(rules if isinstance(rules, list) else ())):
            for name in group.keys() & paths.keys() if isinstance(group, dict) else ():
                with contextlib.suppress(ValueError):  # no name at all: the check of levels reports it
                    group[name] = paths[name](group[name], base)


def _paths(benchmark: object, registry: Registry) -> dict[str, Callable[[Any, Path], Any]]:
    """Return the function for each factor that may hold a path.

    Factors that the sweep's benchmark does not have go by their name alone, because an override may give the sweep
    another benchmark.
    """
    every = {name: absolute for known in registry.values() for name, absolute in known.paths.items()}
    own = registry.get(benchmark) if isinstance(benchmark, str) else None
    if own is None:
        return every
    return {name: every[name] for name in every.keys() - own.factors.model_fields.keys()} | dict(own.paths)


def _tables(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sweeps = content.get("sweep")
    return (table for table in (sweeps if isinstance(sweeps, list) else ()) if isinstance(table, dict))


def _builtin_directory() -> Any:
    return resources.files("sweeps") / "specs"


def apply_override(content: dict[str, Any], override: str, label: str, registry: Registry) -> tuple[str, ...]:
    """Put one `<sweep>.<key path>=<TOML value>` into the raw content; return the path, split.

    Raises:
        UserError: the override is not of that form, or names a sweep or table that is not there.
    """
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
    # Only the override's own value: relative paths of the file stay relative to the file.
    for key in reversed(keys):
        value = {key: value}
    make_paths_absolute({"sweep": [{"benchmark": named[0].get("benchmark"), **value}]}, Path.cwd(), registry)
    for key in keys:
        value = value[key]
    table[keys[-1]] = value
    return sweep_name, *keys


def _is_text(words: str) -> bool:
    """Tell whether the words of a command line are UTF-8; Python gives other bytes as halves of surrogate pairs."""
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True
