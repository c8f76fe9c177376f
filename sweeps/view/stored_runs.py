"""Shows what run directories say about themselves: for people, and as JSON for programs."""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console

from sweeps.printable import middle_out
from sweeps.store.stored_run import StoredRun, StoredSweep
from sweeps.view.messages import say, warn
from sweeps.wording import UNKNOWN_WRITER, counted, tasks_done

_MAX_REASONS: Final = 3
"""Reasons of a status that are shown; the others are counted."""
_MAX_REASON: Final = 300
_NOW: Final = {
    True: "a run writes there now",
    False: "no run writes there now",
    None: UNKNOWN_WRITER,
}


def print_stored_run(console: Console, run: StoredRun) -> None:
    """Print progress, statuses with their reasons, what is missing, and the command that goes on."""
    for sweep in run.sweeps:
        for problem in sweep.problems:
            warn(console, problem)
    say(console, "\n".join(_lines(run)))


def stored_run_content(run: StoredRun) -> dict[str, Any]:
    """Return the same as JSON has it."""
    return {
        "directory": str(run.directory),
        "is_written": run.is_written,
        "done": run.done,
        "planned": run.planned,
        "first": list(run.first),
        "command": run.command,
        "retry": run.retry,
        "sweeps": {sweep.name: _sweep_content(sweep) for sweep in run.sweeps},
    }


def _sweep_content(sweep: StoredSweep) -> dict[str, Any]:
    return {
        "done": sweep.done,
        "planned": sweep.planned,
        "missing": sweep.missing,
        "rows": sweep.rows,
        "statuses": dict(sweep.counts),
        "reasons": {status: dict(reasons) for status, reasons in sweep.reasons.items()},
        "written_at": sweep.written_at.isoformat() if sweep.written_at else None,
        "problems": list(sweep.problems),
    }


def _lines(run: StoredRun) -> Iterator[str]:
    yield f"{run.directory}: {_progress(run.done, run.planned)}; {_NOW[run.is_written]}"
    for sweep in run.sweeps:
        statuses = ", ".join(f"{count:,} {status}" for status, count in sweep.counts.items())
        written = f"; last rows {sweep.written_at:%Y-%m-%d %H:%M:%S} UTC" if sweep.written_at else ""
        yield f"  {sweep.name}: {_progress(sweep.done, sweep.planned)}" + (f": {statuses}{written}" if statuses else "")
        for status, reasons in sweep.reasons.items():
            yield from (f"    {status}: {line}" for line in _reasons(reasons))
    if missing := [f"{sweep.name} {sweep.missing:,}" for sweep in run.sweeps if sweep.missing]:
        yield f"  missing tasks: {', '.join(missing)}"
    is_short = bool(missing) or run.planned is None
    if run.is_written or not (is_short or run.retry):
        return
    yield from (f"  before the next command: {sentence}" for sentence in run.first)
    if is_short:
        yield f"  to continue: {run.command or 'no file says with which command; give that of the run again'}"
    if run.retry:
        yield f"  to try failed tasks again: {run.retry}"


def _progress(done: int, planned: int | None) -> str:
    if planned is None:
        return f"{counted(done, 'task')} {'is' if done == 1 else 'are'} done; no file says how many were planned"
    return tasks_done(done, planned)


def _reasons(reasons: Any) -> Iterator[str]:
    shown = list(reasons.items())[:_MAX_REASONS]
    for reason, tasks in shown:
        yield f"{middle_out(reason, _MAX_REASON) or 'no reason was written'} ({counted(tasks, 'task')})"
    if len(reasons) > len(shown):
        yield counted(len(reasons) - len(shown), "more reason")
