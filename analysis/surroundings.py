"""What the page shows of environments, inputs and specs: cut to the depth and width of a page.

Knows JSON values of an environment file. Does not know rows' metrics or HTML.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.level_labels import MAX_TEXT
from analysis.load import SweepRows
from sweeps.printable import middle_out

_MAX_SPEC: Final = 50_000
"""Characters of a spec on the page."""
_MAX_ENTRIES: Final = 400
"""Entries of an object or a list on the page."""
_MAX_DEPTH: Final = 8
"""Levels of nesting on the page."""
_NAMED: Final = ("torch", "transformers", "ray")
"""Packages whose versions stand in the one line of an environment."""


@dataclass(frozen=True)
class Environment:
    """Where rows were measured: versions and devices, and the sweeps whose rows name it."""

    id: str
    sweeps: tuple[str, ...]
    line: str
    """Host, devices and versions in one line."""
    content: Any
    """Everything the file says, cut to the size of a page; empty where no file describes it."""


def environments_of(sweeps: Sequence[tuple[str, SweepRows]]) -> tuple[Environment, ...]:
    """Return each environment that rows name or a file describes, once for all sweeps that describe it alike.

    Args:
        sweeps: with their names on the page.
    """
    found: dict[tuple[str, str], list[str]] = {}
    contents: dict[tuple[str, str], Any] = {}
    for name, sweep in sweeps:
        described = sweep.description.environments
        named = sweep.rows["environment_id"].dropna().astype(str).unique()
        for known in dict.fromkeys([*named, *described]):
            content = described.get(known, {})
            key = known, json.dumps(content, sort_keys=True, default=str)
            found.setdefault(key, []).append(name)
            contents[key] = content
    shown = [
        Environment(key[0], tuple(names), _line(contents[key]), outline(contents[key]))
        for key, names in list(found.items())[:_MAX_ENTRIES]
    ]
    more = Environment("…", (), f"{len(found) - _MAX_ENTRIES} more environments", {})
    return (*shown, *([more] if len(found) > _MAX_ENTRIES else []))


def _line(content: Any) -> str:
    """Return host, devices and versions of an environment in one line."""
    if not isinstance(content, dict):
        return ""
    parts = [str(content["host"])] if content.get("host") else []
    devices = content.get("devices")
    if isinstance(devices, list):
        parts += dict.fromkeys(
            str(device["name"]) for device in devices if isinstance(device, dict) and "name" in device
        )
    versions = content.get("versions")
    if isinstance(versions, dict):
        parts += [f"{package} {versions[package]}" for package in _NAMED if package in versions]
    return middle_out(" · ".join(parts), MAX_TEXT)


def spec_of(sweep: SweepRows) -> str:
    """Return the resolved spec as JSON, cut after 50,000 characters; empty where no file has it."""
    if not sweep.spec:
        return ""
    text = json.dumps(outline(sweep.spec), indent=2, ensure_ascii=False)
    return text if len(text) <= _MAX_SPEC else f"{text[:_MAX_SPEC]}\n… cut here: {len(text):,} characters in all"


def outline(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """Return a JSON value cut to the depth and width of a page. A text in its place says how much was left out."""
    if isinstance(value, dict | list) and depth == 0:
        return "… (nested deeper)"
    if isinstance(value, dict):
        items = list(value.items())[:_MAX_ENTRIES]
        shown = {middle_out(key, MAX_TEXT): outline(inner, depth - 1) for key, inner in items}
        return shown | ({"…": f"{len(value) - _MAX_ENTRIES:,} more"} if len(value) > _MAX_ENTRIES else {})
    if isinstance(value, list):
        shown_items = [outline(inner, depth - 1) for inner in value[:_MAX_ENTRIES]]
        return shown_items + [f"… {len(value) - _MAX_ENTRIES:,} more"] * (len(value) > _MAX_ENTRIES)
    return middle_out(value, 10 * MAX_TEXT) if isinstance(value, str) else value
