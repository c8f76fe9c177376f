"""Checks that a task's models are those that the run was planned with: a directory may be replaced while it runs."""

import contextlib

from models.errors import ModelError
from sweeps.errors import InputChanged
from sweeps.task import Row, Task


def check_row(task: Task, metrics: Row, host: str) -> None:
    """Check that a row is of the models that the run was planned with, where that is known.

    Args:
        task: with the fingerprints that were planned.
        metrics: of the row, with the fingerprints that were measured in `revision`.
        host: of the worker, for the message.

    Raises:
        InputChanged: a model's directory was replaced since, or is another one on this node.
    """
    revisions = str(metrics.get("revision") or "").split(", ")
    for planned, seen in zip(task.revisions, revisions, strict=False):
        if planned is not None and seen and seen != planned:
            raise InputChanged(
                f"{task.model}: the model that {host} has there is {seen}; the run was planned with {planned}: "
                "replaced since, or not the same on every node"
            )


def check_models(task: Task) -> None:
    """Check that a task did not fail because one of its models was replaced.

    Raises:
        InputChanged: a model's directory was replaced since the run was planned.
    """
    if not any(task.revisions):
        return
    from models.resolve import resolve

    pair = task.factors.get("pair")
    for name, planned in zip(pair if isinstance(pair, list) else [task.factors["model"]], task.revisions, strict=False):
        with contextlib.suppress(ModelError):  # gone, and the row says so
            if planned is not None and (seen := resolve(str(name)).revision) != planned:
                raise InputChanged(f"{name}: the model there is {seen}; planned was {planned}: replaced since")
