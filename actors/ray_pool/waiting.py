"""Workers that were started but wait, because Ray has no free cores or GPUs for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.core.generated.gcs_pb2 import ActorTableData

from actors.ray_pool import holders
from actors.ray_pool.cluster import NAMESPACE
from actors.ray_pool.holders import PlacedActor
from actors.ray_pool.worker import RayWorker
from sweeps.task import Slot

Started = tuple[Slot, str, Any]
"""Slot, node id and actor handle of a started worker."""


def waiting_message(started: Sequence[Started], own_run: str) -> str:
    """Return a message on the workers that wait for cores or GPUs, and on their holders; empty if no worker waits.

    Args:
        started: the run's workers.
        own_run: name of the run, whose own workers are not named as holders.
    """
    pending = _actors("PENDING_CREATION", ray.get_runtime_context().get_job_id())
    unplaced = [worker for worker in started if worker[2]._actor_id.hex() in pending]
    free = ray._private.state.available_resources_per_node() if unplaced else {}
    waiting = [(slot, node_id) for slot, node_id, _ in unplaced if _lacks(slot, free.get(node_id, {}))]
    if not waiting:
        return ""
    node_ids = {node_id for _, node_id in waiting}
    placed = [actor for actor in _actors("ALIVE").values() if actor.node_id in node_ids]
    return holders.waiting_message([slot for slot, _ in waiting], placed, own_run)


def _actors(state: str, job_id: str | None = None) -> dict[str, PlacedActor]:
    """Return the cluster's actors in a state, by id; `ray.util.state` needs the dashboard, which not every Ray has."""
    accessor = ray._private.state.state._connect_and_get_accessor()
    found = {}
    for text in accessor.get_actor_table(job_id and ray.JobID(bytes.fromhex(job_id)), state):
        actor = ActorTableData.FromString(text)
        is_ours = actor.class_name == RayWorker.__name__ and actor.ray_namespace == NAMESPACE
        other = f"{actor.class_name.rpartition('.')[2]} of job {actor.job_id.hex()}"
        holder = actor.name.split(" ", 2)[-1] if is_ours else other
        found[actor.actor_id.hex()] = PlacedActor(holder, actor.address.node_id.hex(), dict(actor.required_resources))
    return found


def _lacks(slot: Slot, free: Mapping[str, float]) -> bool:
    """Tell whether a node has fewer free cores or GPUs than a slot takes."""
    return free.get("CPU", 0) < slot.cores or free.get("GPU", 0) < slot.gpus
