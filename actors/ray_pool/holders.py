"""Message on workers that wait for devices, and on the runs that hold these. Imports no Ray."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeps.task import Slot


@dataclass(frozen=True)
class PlacedActor:
    """An actor that runs on a node of the cluster."""

    holder: str
    """Name of the actor's run, if it is a worker of this project; else its class and job."""
    node_id: str
    takes: Mapping[str, float]
    """Numbers of CPU and GPU, as Ray counts them."""


def waiting_message(wanted: Sequence[Slot], placed: Sequence[PlacedActor], own_run: str) -> str:
    """Return a message such as `waiting for 2 cores held by mine 03000000 (2 cores)`.

    Args:
        wanted: the slot of each worker that waits.
        placed: the actors that run on the nodes of these workers.
        own_run: name of the run that waits, whose own actors are left out.
    """
    cores: Counter[str] = Counter()
    gpus: Counter[str] = Counter()
    for actor in placed:
        if actor.holder != own_run:
            cores[actor.holder] += int(actor.takes.get("CPU", 0))
            gpus[actor.holder] += int(actor.takes.get("GPU", 0))
    by = [f"{holder} ({_amount(cores[holder], gpus[holder])})" for holder in cores if cores[holder] or gpus[holder]]
    amount = _amount(sum(slot.cores for slot in wanted), sum(slot.gpus for slot in wanted))
    if not by:
        return f"starting workers on {amount}, unless other work on the cluster has them"
    return f"waiting for {amount} held by {', '.join(by)}"


def _amount(cores: int, gpus: int) -> str:
    of_gpus = [f"{gpus} GPU{'s' * (gpus > 1)}"] if gpus else []
    of_cores = [f"{cores} core{'s' * (cores > 1)}"] if cores else []
    return " and ".join([*of_gpus, *of_cores]) or "a place"
