"""The models that a sweep reads: which directories they lie in, and what is in those when the run is planned.

A directory is known by its fingerprint, not by its path: another model under the same path is another model.
Imports no torch: the driver plans before the slow imports.
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
    """`model` or `pair`: the factor whose levels name what `revision` columns are of, where the benchmark has it."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint of each directory that is visible where the run is started, by its name in the spec."""
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @property
    def record(self) -> Mapping[str, Any]:
        """Fingerprints of the models, as JSON."""
        return {"models": dict(self.fingerprints)} if self.fingerprints else {}

    def canonical(self, factor: str, level: Level) -> Level:  # noqa: ARG002 - whatever the factor
        """The level itself: a model's directory that was moved is another one's name."""
        return level

    def shards(self, levels: Mapping[str, Level]) -> Sequence[TaskShard | None]:  # noqa: ARG002 - whatever the levels
        """The cell is the task."""
        return (None,)

    def revisions(self, levels: Mapping[str, Level]) -> tuple[str | None, ...]:
        """Fingerprints of the cell's models, None for one that is not a directory here."""
        if not self.fingerprints or levels.get("source", DEFAULT) != DEFAULT:  # another copy: not seen here
            return ()
        return tuple(self.fingerprints.get(name) for name in _names(levels[self.factor]))


def open_models(factor: str, factors: Mapping[str, Sequence[Level]], known: Mapping[str, Any]) -> ModelInputs:
    """Look at the models of a sweep that are directories.

    Args:
        factor: whose levels name them.
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
        return ModelInputs(factor, fingerprints)  # copies on other drives are known by their rows' revisions alone
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
                f"factors.{factor}: {name}: rows on disk are of an older version, which did not write down what the "
                "directory held; nobody can tell whether the model is still the same"
            )
        fingerprints[name] = now
    ids = f"factors.{factor}: of the Hub, because no directory of that name is beside the spec: {', '.join(hub)}"
    return ModelInputs(factor, fingerprints, (ids,) if hub else (), tuple(warnings))


def absolute_models(level: Any, base: Path) -> Any:
    """A level of `model` or `pair`, or a list of them, with paths made absolute; what is no text stays as it is."""
    if isinstance(level, list):
        return [absolute_models(entry, base) for entry in level]
    return names.anchored(level, base) if isinstance(level, str) else level


def _names(level: Any) -> Iterator[str]:
    return iter(level if isinstance(level, list) else [level])
