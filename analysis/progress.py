"""How far a run came: tasks done of tasks planned, statuses with their reasons, and the command that goes on.

Knows rows and what environment files say of the plan. Does not know averages or HTML.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.column_titles import duration
from analysis.failures import failures
from analysis.load import RunRows, SweepRows
from sweeps.printable import middle_out
from sweeps.run_layout import REHEARSAL, RunLayout, SweepLayout
from sweeps.stored_command import StoredCommand, command_for, put_back
from sweeps.task_status import TaskStatus, retry_command
from sweeps.wording import counted, tasks_done

REHEARSED: Final = (
    "Rehearsal on tiny built-in models: checks the way to the page; its numbers say nothing about the published models."
)
TINY: Final = "All models are the tiny built-in ones: the numbers say nothing about other models."
_MODELS: Final = ("model", "observer", "performer")
_MAX_REASONS: Final = 3
"""Reasons of a status at the top of the page."""
_MAX_REASON: Final = 300


@dataclass(frozen=True)
class Progress:
    """Progress of a sweep, a run, or all runs of a page."""

    rows: int
    tasks: int
    """Number of tasks that were tried. A task with status unavailable is still to be done."""
    planned: int | None
    """Number of tasks planned; None where no file says."""

    @property
    def is_short(self) -> bool:
        """Tell whether tasks are known to be missing."""
        return self.planned is not None and self.tasks < self.planned

    def __str__(self) -> str:
        if self.planned is None:
            return f"{counted(self.rows, 'row')} of {counted(self.tasks, 'task')}"
        return f"{counted(self.rows, 'row')}; {tasks_done(self.tasks, self.planned)}"


@dataclass(frozen=True)
class StatusCount:
    """Rows of one status, with the reasons that most of them give."""

    status: str
    rows: int
    meaning: str
    """Meaning in a sentence; '' for a status that this version does not know."""
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RunProgress:
    """How far one run came, and how it goes on."""

    name: str
    directory: str
    progress: Progress
    missing: tuple[str, ...]
    """Sweeps whose tasks are not all done, each with its numbers."""
    command: str
    """Command that continues the run where its files lie now; '' where no file says."""
    first: tuple[str, ...]
    """Sentences, each with a thing that has to be done before the command is given."""
    retry: str
    """Command that tries failed tasks again; '' where there are none, or no file says."""
    is_running: bool | None = False
    """A run wrote there when its rows were read; None: the lock cannot be read, so that is not known."""
    is_rehearsal: bool = False
    """The run is one of `--rehearse`."""
    is_tiny: bool = False
    """Every model of the run is a built-in one."""


def progress_of(sweep: SweepRows) -> Progress:
    """Return the progress of a sweep."""
    tried = sweep.rows.loc[sweep.rows["status"] != TaskStatus.UNAVAILABLE, "task_id"]
    return Progress(len(sweep.rows), int(tried.nunique()), sweep.description.tasks)


def together(parts: Sequence[Progress]) -> Progress:
    """Return the progress of several sweeps. The number of planned tasks is known only if every sweep says it."""
    known = [part.planned for part in parts if part.planned is not None]
    planned = sum(known) if len(known) == len(parts) else None
    return Progress(sum(part.rows for part in parts), sum(part.tasks for part in parts), planned)


def run_progress(run: RunRows, name: str) -> RunProgress:
    """Return how far a run came."""
    parts = {sweep.name: progress_of(sweep) for sweep in run.sweeps}
    command = _command_of(run)
    seen = {status for sweep in run.sweeps for status in sweep.rows["status"].unique()}
    return RunProgress(
        name=name,
        directory=str(run.directory),
        progress=together(list(parts.values())),
        missing=tuple(f"{sweep}: {part.tasks:,} of {part.planned:,}" for sweep, part in parts.items() if part.is_short),
        command=command.line,
        first=(*_to_be_mended(run), *command.first),
        retry=retry_command(command.line, seen),
        is_running=RunLayout(run.directory).is_being_written(),
        is_rehearsal=any((sweep.description.spec_name or "").endswith(REHEARSAL) for sweep in run.sweeps),
        is_tiny=_is_tiny(run.sweeps),
    )


def _command_of(run: RunRows) -> StoredCommand:
    """Return the command that continues a run; an empty one where no file says."""
    described = next((sweep.description for sweep in run.sweeps if sweep.description.command), None)
    return command_for(described.command, described.spec_name or "", run.directory) if described else StoredCommand()


def _to_be_mended(run: RunRows) -> list[str]:
    """Return what has to be done before any command, for each sweep whose metadata a run would refuse."""
    return [
        put_back(SweepLayout(run.directory / sweep.name).metadata)
        for sweep in run.sweeps
        if not sweep.description.is_known
    ]


def _is_tiny(sweeps: Iterable[SweepRows]) -> bool:
    """Tell whether every model is a built-in one."""
    models = {
        str(model)
        for sweep in sweeps
        for name in _MODELS
        if name in sweep.ok
        for model in sweep.ok[name].dropna().unique()
    }
    return bool(models) and all(model.startswith("builtin://") for model in models)


def statuses_of(sweeps: Iterable[SweepRows]) -> tuple[StatusCount, ...]:
    """Return the number of rows by status, for each status that occurs, in the order of the schema, with reasons."""
    every = list(sweeps)
    counts = pd.concat([sweep.rows["status"] for sweep in every]).value_counts().to_dict()
    known = [status.value for status in TaskStatus if status in counts]
    meanings = {status.value: status.meaning for status in TaskStatus}
    reasons = _reasons(every) if set(counts) - {"ok"} else {}
    reasons["ok"] = _without_value(every)
    return tuple(
        StatusCount(status, int(counts[status]), meanings.get(status, ""), tuple(reasons.get(status, ())))
        for status in (*known, *sorted(set(counts) - set(known)))
    )


def _reasons(sweeps: Sequence[SweepRows]) -> dict[str, list[str]]:
    """Return the commonest reasons by status."""
    table = pd.concat([failures(sweep)[["status", "reason", "rows"]] for sweep in sweeps])
    counts = Counter[tuple[str, str]]()
    for record in table.to_dict("records"):
        counts[str(record["status"]), " ".join(str(record["reason"]).split())] += record["rows"]
    found: dict[str, list[str]] = {}
    for (status, reason), rows in counts.most_common():
        shown = found.setdefault(status, [])
        if len(shown) < _MAX_REASONS:
            shown.append(f"{middle_out(reason, _MAX_REASON)} ({counted(rows, 'row')})")
    return found


def _without_value(sweeps: Sequence[SweepRows]) -> list[str]:
    """Return the commonest reasons why a row that ended well has no score."""
    columns = [sweep.ok["null_reason"].dropna().astype("str") for sweep in sweeps if "null_reason" in sweep.ok]
    counts = pd.concat(columns).value_counts() if columns else pd.Series(dtype=int)
    shown = [
        f"no value, {' '.join(str(reason).split())} ({counted(int(rows), 'row')})" for reason, rows in counts.items()
    ]
    return [middle_out(reason, _MAX_REASON) for reason in shown[:_MAX_REASONS]]


def measured_span(sweeps: Sequence[SweepRows]) -> tuple[str, str, str] | None:
    """Return first start, last end (UTC) and the time between them, pauses of a continued run included.

    Starts before 1971 or after 2200 are left out: they come from a clock that was never set.
    """
    starts = pd.concat([sweep.rows["started_at"] for sweep in sweeps])
    seconds = pd.concat([sweep.rows["duration_s"] for sweep in sweeps]).fillna(0).clip(0, 1e8)
    possible = starts.between(pd.Timestamp("1971", tz="UTC"), pd.Timestamp("2200", tz="UTC"))
    if not possible.any():
        return None
    ends = starts[possible] + pd.to_timedelta(seconds[possible], unit="s")
    first, last = starts[possible].min(), ends.max()
    form = "%Y-%m-%d %H:%M:%S"
    return first.strftime(form), last.strftime(form), duration((last - first).total_seconds())
