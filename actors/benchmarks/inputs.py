"""The models that a sweep reads, and the fingerprints of those that are directories when the run is planned.

A directory is identified by its fingerprint, not by its path: new content under the same path is another model.
Imports no torch, because the driver plans before the slow imports.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import names
from models.errors import ModelError
from models.presence import missing_model
from models.resolve import resolve
from models.sources import DEFAULT
from sweeps.errors import UserError
from sweeps.task import Level, TaskShard


@dataclass(frozen=True)
class ModelInputs:
    """The models of a sweep; each of its cells is one task."""

    factor: str
    """`model` or `pair`: the factor whose levels name the models, if the benchmark has such a factor."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint of each directory that the driver's node can see, by its name in the spec."""
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @property
    def record(self) -> Mapping[str, Any]:
        """Fingerprints of the models, as JSON."""
        return {"models": dict(self.fingerprints)} if self.fingerprints else {}

    def canonical(self, factor: str, level: Level) -> Level:  # noqa: ARG002 - whatever the factor
        """Return the level unchanged: a model's directory that was moved counts as another model."""
        return level

    def shards(self, levels: Mapping[str, Level]) -> Sequence[TaskShard | None]:  # noqa: ARG002 - whatever the levels
        """Return one task without a shard: each cell is one task."""
        return (None,)

    def revisions(self, levels: Mapping[str, Level]) -> tuple[str | None, ...]:
        """Return the fingerprints of the cell's models; None for a model that is not a directory on this node."""
        if not self.fingerprints or levels.get("source", DEFAULT) != DEFAULT:  # another copy, which was not read here
            return ()
        return tuple(self.fingerprints.get(name) for name in _names(levels[self.factor]))


def open_models(factor: str, factors: Mapping[str, Sequence[Level]], known: Mapping[str, Any]) -> ModelInputs:
    """Fingerprint the models of a sweep that are directories, and compare them with those of rows on disk.

    Args:
        factor: the factor whose levels name the models.
        factors: every factor with its levels.
        known: the record of the models that rows on disk are of.

    Raises:
        UserError: a directory holds another model than the rows on disk are of.
    """
    before: Mapping[str, str] = known.get("models") or {}
    is_older = "models" in known and known["models"] is None
    fingerprints = dict(before)
    warnings: list[str] = []
    hub: list[str] = []
    if DEFAULT not in factors.get("source", (DEFAULT,)):
        return ModelInputs(factor, fingerprints)  # the rows' revisions identify copies on other drives
    for name in dict.fromkeys(name for level in factors.get(factor, ()) for name in _names(level)):
        if not names.parse(name).is_path:
            if not name.startswith(names.BUILTIN):
                hub.append(name)
            continue
        if reason := missing_model(name):
            warnings.append(f"factors.{factor}: {reason}; its rows will be `unavailable` where workers miss it too")
            continue
        try:
            now = str(resolve(name).revision)
        except ModelError as error:
            warnings.append(f"factors.{factor}: {error}")
            continue
        if name in before and before[name] != now:
            raise UserError(
                f"factors.{factor}: the directory {name} holds another model than the one that rows on disk are of "
                f"(fingerprint {now}, {before[name]} then); put that one back, or choose another --out"
            )
        if known.get("unmeasured", {}).get(name, now) != now:
            warnings.append(
                f"factors.{factor}: the directory {name} holds another model than the one with which earlier tasks "
                "ended without a measurement; --retry with their status runs them again"
            )
        if is_older:
            warnings.append(
                f"factors.{factor}: {name}: rows on disk are of an older version, which did not record what the "
                "directory held; whether the model is still the same is not known"
            )
        fingerprints[name] = now
    ids = f"factors.{factor}: of the Hub, because no directory of that name is beside the spec: {', '.join(hub)}"
    return ModelInputs(factor, fingerprints, (ids,) if hub else (), tuple(warnings))


def absolute_models(level: Any, base: Path) -> Any:
    """Return a level of `model` or `pair`, or a list of levels, with paths made absolute; other types are unchanged."""
    if isinstance(level, list):
        return [absolute_models(entry, base) for entry in level]
    return names.anchored(level, base) if isinstance(level, str) else level


def _names(level: Any) -> Iterator[str]:
    return iter(level if isinstance(level, list) else [level])
