"""How a run ended, in words and as an exit code."""

import shlex
from collections import Counter
from pathlib import Path
from typing import Final

from rich.console import Console

from sweeps.plan.grid import Plan
from sweeps.process.interrupts import EXIT_INTERRUPTED
from sweeps.schedule.run_status import Status
from sweeps.store.finished import Finished
from sweeps.task_status import TaskStatus
from sweeps.view.messages import complain, say
from sweeps.view.progress import summarize
from sweeps.wording import counted

EXIT_FAILED_TASKS: Final = 1


def print_verdict(console: Console, status: Status, directory: Path) -> int:
    """Print the command of the report, or the reason why the run failed; return the exit code."""
    if status.failure or status.left:
        reason = status.failure or f"{counted(status.left, 'task')} {'has' if status.left == 1 else 'have'} no rows"
        complain(reason)
        return EXIT_FAILED_TASKS
    say(console, f"report: python -m analysis.report {shlex.quote(str(directory))}")
    failed = sum(status.counts.get(name, 0) for name in TaskStatus if name.is_failure)
    if not status.measured:
        complain("nothing was measured; the rows say why")
    return 0 if status.measured and not failed else EXIT_FAILED_TASKS


def print_stopped(console: Console, status: Status, directory: Path, command: str) -> int:
    """Print what an interrupted run has on disk, and the command that continues; return the exit code."""
    done = f"{status.done:,} of {counted(status.total, 'task')} {'is' if status.total == 1 else 'are'}"
    say(console, f"stopped: {done} on disk in {directory}; to continue:\n  {command}")
    return EXIT_INTERRUPTED


def print_nothing_to_run(console: Console, plan: Plan, finished: Finished) -> int:
    """Print the summary of a run that earlier commands finished; return the exit code."""
    counts = sum(finished.counts.values(), Counter[str]())
    status = Status(
        total=len(plan),
        done=len(plan),
        done_before=len(plan),
        rows=0,
        counts=dict(counts),
        loads=0,
        loads_naive=0,
        demand={},
        workers=(),
        failure=None,
        warnings=(),
        measured=finished.measured,
    )
    summarize(console, status, plan.directory, 0.0)
    return print_verdict(console, status, plan.directory)
