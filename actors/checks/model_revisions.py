"""Checks that a task's models are the planned ones: a model's directory may be replaced while a run is under way."""

import contextlib

from models.errors import ModelError
from sweeps.errors import InputChanged
from sweeps.task import Row, Task


def check_row(task: Task, metrics: Row, host: str) -> None:
    """Check that a row is of the models that the run was planned with, as far as these are known.

    Args:
        task: its `revisions` are the planned fingerprints.
        metrics: of the row; its `revision` has the measured fingerprints.
        host: the worker's host, for the message.

    Raises:
        InputChanged: a model's directory was replaced since, or holds another model on this node.
    """
    revisions = str(metrics.get("revision") or "").split(", ")
    for planned, seen in zip(task.revisions, revisions, strict=False):
        if planned is not None and seen and seen != planned:
            raise InputChanged(
                f"{task.model}: the model that {host} has there is {seen}; the run was planned with {planned}: "
                "the model was replaced since, or differs between nodes"
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
        with contextlib.suppress(ModelError):  # the model is gone, and the row says so
            if planned is not None and (seen := resolve(str(name)).revision) != planned:
                raise InputChanged(
                    f"{name}: the model there is {seen}; the run was planned with {planned}: replaced since"
                )
