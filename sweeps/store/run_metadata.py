"""`_environment.json`, beside the parts: the spec, inputs, environments and columns of the rows.

Runs of the first version wrote `environment.json`, without inputs; it is read, and replaced when the run is continued.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.atomic_write import write_atomically
from sweeps.errors import SpecChanged
from sweeps.plan.grid import Grid
from sweeps.plan.spec import Sweep
from sweeps.run_layout import METADATA_VERSION, SweepLayout
from sweeps.schema import Columns
from sweeps.task import digest


@dataclass(frozen=True)
class RunMetadata:
    """Content of the file; empty where there are neither file nor rows."""

    sweep: dict[str, Any] | None = None
    """The sweep with every factor spelled out."""
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    iterations: tuple[int, ...] = ()
    """Number of iterations of a cell after each run that added some."""
    inputs: Mapping[str, Any] | None = None
    """Record of the inputs of the rows; None where the first version wrote the file, which kept none."""
    tasks: int | None = None
    """Number of tasks that the last run planned; None where an older version wrote the file."""
    command: str = ""
    """Command that continues the run; empty where the file does not say."""
    spec_name: str = ""
    """Name of the spec, and so of the run's directory."""

    @property
    def content_id(self) -> str:
        """Short id of sweep, iterations and inputs; environments, which come as workers join, are left out."""
        return _content_id(self.sweep, self.iterations, self.inputs)


def read_run_metadata(folder: Path) -> RunMetadata:
    """Read the file of one sweep's directory.

    Raises:
        SpecChanged: there are rows, and the file that says how they were measured is missing or cannot be read.
    """
    layout = SweepLayout(folder)
    path = next((path for path in (layout.metadata, layout.old_metadata) if path.exists()), None)
    if path is None:
        if layout.parts():
            raise SpecChanged(
                f"{layout.metadata}: is missing, so nobody knows with which settings the rows beside it were measured; "
                f"put it back, or move {folder} away to start afresh"
            )
        return RunMetadata()
    try:
        return _run_metadata(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SpecChanged(f"{path}: cannot be read ({error!r}); move {folder} away to start afresh") from error


def known_rows(folder: Path) -> str:
    """Return the content id of the rows on disk; empty where there are none.

    Raises:
        SpecChanged: as `read_run_metadata`.
    """
    return read_run_metadata(folder).content_id if SweepLayout(folder).parts() else ""


def planned_rows(grid: Grid) -> str:
    """Return the content id that the rows of a plan will have."""
    return _content_id(grid.sweep.model_dump(mode="json"), grid.iterations, grid.inputs.record)


def write_run_metadata(folder: Path, name: str, grid: Grid, environments: Mapping[str, Any], command: str) -> None:
    """Replace the file of one sweep's directory; the file of an older version is deleted.

    Args:
        folder: of the sweep.
        name: of the spec.
        grid: that the rows are of.
        environments: by id.
        command: that continues the run.

    Raises:
        SinkFailed: the file cannot be written; the old one is whole.
    """
    content = {
        "version": METADATA_VERSION,
        "spec": {"name": name, "sweep": grid.sweep.model_dump(mode="json")},
        "iterations": grid.iterations,
        "tasks": len(grid),
        "command": command,
        "inputs": grid.inputs.record,
        "columns": _columns_content(grid.columns),
        "environments": environments,
    }
    layout = SweepLayout(folder)
    write_atomically(layout.metadata, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    layout.old_metadata.unlink(missing_ok=True)


def _columns_content(columns: Columns) -> dict[str, Any]:
    """Return the columns as JSON, for readers that cannot import the benchmark: types by their Arrow names."""
    return {
        "factors": {name: str(kind) for name, kind in columns.factors.items()},
        "metrics": {name: str(kind) for name, kind in columns.metrics.items()},
        "identity": {name: str(kind) for name, kind in columns.identity.items()},
        "headlines": columns.headlines,
        "measure": columns.measure,
    }


def _content_id(sweep: Any, iterations: Sequence[int], inputs: Any) -> str:
    return digest([sweep, list(iterations), inputs])


def _run_metadata(content: Any) -> RunMetadata:
    sweep = content["spec"]["sweep"]
    Sweep.model_validate(sweep)  # a ValueError says what is wrong with it
    inputs = content["inputs"] if "version" in content else None
    environments = dict(content["environments"])
    if not isinstance(inputs, dict | None) or content.get("version", METADATA_VERSION) != METADATA_VERSION:
        raise ValueError(f"version {content.get('version')!r}, and this is version {METADATA_VERSION}")
    iterations = tuple(map(int, content.get("iterations", [sweep["iterations"]])))
    if list(iterations) != sorted(set(iterations)) or iterations[-1:] != (sweep["iterations"],):
        raise ValueError(f"iterations {iterations} of a sweep of {sweep['iterations']}")
    tasks, command, name = content.get("tasks"), content.get("command"), content["spec"].get("name")
    return RunMetadata(
        sweep,
        environments,
        iterations,
        inputs,
        tasks=tasks if isinstance(tasks, int) else None,
        command=command if isinstance(command, str) else "",
        spec_name=name if isinstance(name, str) else "",
    )
