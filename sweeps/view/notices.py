"""Sentences that a person should read before a run: its inputs, probable mistakes, failures that stay."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sweeps.plan.declaration import Registry, unusable_in
from sweeps.plan.grid import Plan
from sweeps.plan.machines import Machines
from sweeps.plan.rehearsal import changes
from sweeps.plan.spec import Spec
from sweeps.store.finished import Finished
from sweeps.view.messages import say, warn
from sweeps.wording import counted


def print_inputs(console: Console, plan: Plan) -> None:
    """Print the inputs of every sweep, and warn of probable mistakes in them."""
    for grid in plan.grids:
        for line in grid.inputs.lines:
            say(console, line if line.startswith(" ") else f"{grid.sweep.name}: {line}")
        for warning in grid.inputs.warnings:
            warn(console, f"{grid.sweep.name}: {warning}")


def print_rehearsal(console: Console, spec: Spec, rehearsal: Spec) -> None:
    """Print what a rehearsal does otherwise than its spec says."""
    say(console, f"{rehearsal.name}: a rehearsal of {spec.name}; its numbers say nothing about the models in the spec")
    for line in changes(spec, rehearsal):
        say(console, f"  {line}")


def warn_of_failures(console: Console, directory: Path, finished: Finished, retried: Sequence[str]) -> None:
    """Warn of copied parts, of earlier failures that stay as they are, and of a `--retry` without effect.

    Args:
        console: to print on.
        directory: of the run.
        finished: its tasks on disk.
        retried: statuses that `--retry` names.
    """
    if finished.repeated:
        warn(
            console,
            f"{directory}: {counted(finished.repeated, 'task')} {'stands' if finished.repeated == 1 else 'stand'} in "
            "more than one part: a part was copied; "
            "the report counts such a task once, pandas does not: move the copy away",
        )
    for status, count in sorted(finished.left_failed.items()):
        warn(
            console,
            f"{directory}: {counted(count, 'task')} ended as {status} in an earlier run and "
            f"{'stay' if count != 1 else 'stays'} so; --retry {status} runs {'them' if count != 1 else 'it'} again",
        )
    if retried and not finished.again:
        warn(console, f"{directory}: --retry: no task there ended as {', '.join(retried)}")


def warn_of_unusable_benchmarks(console: Console, registry: Registry) -> None:
    """Warn, in one line, of benchmarks of installed packages that a run does not need and nobody could use."""
    if reasons := unusable_in(registry).values():
        names = "a benchmark of an installed package" if len(reasons) == 1 else "benchmarks of installed packages"
        warn(console, f"{names} cannot be used, and this run needs none: {'; '.join(reasons)}")


def warn_of_unused_interpreters(console: Console, machines: Machines, device_classes: Sequence[str]) -> None:
    """Warn of interpreters for devices that no node has: nodes may join later, but a name may also be a typo."""
    for name in machines.unused(device_classes):
        warn(console, f"{machines.file}: no device is {name!r} so far; there are {', '.join(device_classes)}")
