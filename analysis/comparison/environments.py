"""Differences between the environments of two runs: versions, driver, host, GPUs, commit.

Knows the environments that rows were measured in, as their files hold them. Does not know metrics.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

import pandas as pd

from analysis.load import RunRows

_NOT_SAID: Final = "not said"


def environment_differences(run: RunRows, against: RunRows) -> pd.DataFrame:
    """Return what differs between the environments of two runs.

    Returns:
        Columns what (as 'versions.torch'), run and against: the values, as text.
    """
    seen, before = _facts(run), _facts(against)
    keys = [key for key in dict.fromkeys([*seen, *before]) if seen.get(key) != before.get(key)]
    return pd.DataFrame(
        [{"what": key, "run": _text(seen.get(key)), "against": _text(before.get(key))} for key in keys],
        columns=["what", "run", "against"],
    )


def _facts(run: RunRows) -> dict[str, set[str]]:
    """Return the values of each fact in the environments that rows of a run name."""
    facts: dict[str, set[str]] = {}
    for sweep in run.sweeps:
        used = set(sweep.ok["environment_id"].dropna()) if "environment_id" in sweep.ok else set()
        for name, content in sweep.description.environments.items():
            for key, value in _flat("", content) if name in used else ():
                facts.setdefault(key, set()).add(value)
    return facts


def _flat(prefix: str, content: Any) -> Iterable[tuple[str, str]]:
    """Yield each value inside objects with its path. A list is one value."""
    if not isinstance(content, dict):
        yield prefix or "environment", content if isinstance(content, str) else json.dumps(content, sort_keys=True)
        return
    for key, value in content.items():
        yield from _flat(f"{prefix}.{key}" if prefix else str(key), value)


def _text(values: set[str] | None) -> str:
    return ", ".join(sorted(values)) if values else _NOT_SAID
