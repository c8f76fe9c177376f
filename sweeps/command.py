"""The options of a command, checked before anything starts; and the line that asks for the same again.

Knows the options and their bounds; run.py acts on them.
"""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sweeps.errors import UserError
from sweeps.plan.machines import Machines, read_machines
from sweeps.schedule.policy import Isolation, Policy
from sweeps.store.finished import Again
from sweeps.task_status import OOM, TaskStatus

GRACE_S: Final = 60.0
MOST_S: Final = 1e8
"""Three years: what timers still take."""


@dataclass(frozen=True)
class Command:
    """One call of `python -m sweeps.run`."""

    specs: tuple[str, ...]
    address: str
    out: Path
    overrides: tuple[str, ...] = ()
    dry_run: bool = False
    rehearse: bool = False
    policy: Policy = field(default_factory=Policy)
    grace_s: float = GRACE_S
    machines: Machines = field(default_factory=Machines)

    def line(self) -> str:
        """Return the command that continues where this one was stopped, without its retry and its fresh start."""
        words = ["python", "-m", "sweeps.run", *self.specs]
        if self.address != "local":
            words += ["--address", self.address]
        if self.out != Path("runs"):
            words += ["--out", str(self.out)]
        for override in self.overrides:
            words += ["--set", override]
        if self.rehearse:
            words.append("--rehearse")
        if self.machines.pythons:
            words += ["--machines", self.machines.file]
        if self.policy.isolation != Policy().isolation:
            words += ["--isolation", self.policy.isolation]
        if self.policy.timeout_s != Policy().timeout_s:
            words += ["--timeout-s", f"{self.policy.timeout_s:g}"]
        if self.grace_s != GRACE_S:
            words += ["--grace-s", f"{self.grace_s:g}"]
        return shlex.join(words)

    def line_anywhere(self) -> str:
        """Return the same command for a terminal in another directory."""
        return f"cd {shlex.quote(str(Path.cwd()))} && {self.line()}"


def parse_policy(isolation: str, timeout_s: float, retry: list[str], fresh: bool) -> Policy:
    """Check the options that say how the run behaves.

    Raises:
        UserError: the option, what was seen, and the choices.
    """
    if isolation not in ("device", "node"):
        raise UserError(f"--isolation {isolation}: choose device or node")
    if not 0 < timeout_s < MOST_S:
        raise UserError(f"--timeout-s {timeout_s:g}: a task needs more than 0 seconds, and {MOST_S:g} at most")
    retriable = [*(status.value for status in TaskStatus if status is not TaskStatus.OK), "oom"]
    for status in retry:
        if status not in retriable:
            raise UserError(f"--retry {status}: choose one of {', '.join(retriable)}")
    statuses = [str(name) for status in retry for name in (OOM if status == "oom" else [status])]
    kind: Isolation = "node" if isolation == "node" else "device"
    return Policy(kind, timeout_s, Again(tuple(statuses)), fresh)


def load_machines(path: Path | None, address: str) -> Machines:
    """Read the machine file of runs at an address.

    Raises:
        UserError: a mistake in it, or it can have no effect.
    """
    if address != "inline":
        return read_machines(path)
    if path is not None:
        raise UserError(f"--machines {path}: --address inline runs everything in this process, by this interpreter")
    return Machines()


def parse_grace_s(grace_s: float) -> float:
    """Check the seconds that tasks in flight get after Ctrl-C.

    Raises:
        UserError: less than none, or more than a timer takes.
    """
    if not 0 <= grace_s < MOST_S:
        raise UserError(f"--grace-s {grace_s:g}: 0 seconds or more, and {MOST_S:g} at most")
    return grace_s


def expand_home(path: Path) -> Path:
    """Expand the `~` of a path, which shells leave as it is behind `--out=`.

    Raises:
        UserError: this machine knows no such home.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: {error}; write the directory from the root on") from error


def check_writable(out: Path) -> None:
    """Make the directory for runs, before the seconds that Ray takes to start.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be made ({error.strerror}); choose another directory") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UserError(f"--out {out}: not writable for this user; choose another directory")
