"""Follows the nodes that join or leave the cluster while a sweep runs, without waiting for any of them."""

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any, Final

import ray
from ray.exceptions import GetTimeoutError, RayError

from actors.devices.allocator import Allocator
from actors.devices.nodes import Node
from actors.ray_pool.nodes import PROBE_TIMEOUT_S, start_probe
from sweeps.task import Slot

REFRESH_S: Final = 2.0
NODE_RETURN_TIMEOUT_S: Final = 60.0
"""Time to wait for a lost node to return before its slots are given up; `start_node.sh` may be restarting the node."""


@dataclass(frozen=True)
class _Probe:
    """A node that joined while the sweep runs, and was asked for its cores and GPUs."""

    node_id: str
    host: str
    asked_s: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        """True while an answer may still come; a node whose Python does not start never answers."""
        return time.monotonic() - self.asked_s < PROBE_TIMEOUT_S


class NodeWatch:
    """Keeps the nodes of an allocator in step with the cluster."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self._probes: dict[Any, _Probe] = {}
        self._gone: dict[str, tuple[Node, float]] = {}
        self._refreshed_s = time.monotonic()

    def infeasible(self, slot: Slot) -> str | None:
        """Return the reason why no node can offer `slot`; None if a node can, or if one that could may still join."""
        reason = self._allocator.infeasible(slot)
        if reason:
            self._look_for_nodes()  # a node may have joined a moment ago
        if reason is None or any(probe.is_fresh for probe in self._probes.values()):
            return None
        silent = [probe.host for probe in self._probes.values()]
        if silent:
            hosts = ", ".join(silent)
            reason = f"{reason}; the devices of {hosts} are not known, because it does not answer: restart Ray there"
        gone_s = [at_s for node, at_s in self._gone.values() if _offers(node, slot)]
        if not gone_s:
            return reason
        if time.monotonic() - max(gone_s) < NODE_RETURN_TIMEOUT_S:
            return None
        return f"{reason}; a node that offered it is gone and did not come back within {NODE_RETURN_TIMEOUT_S:g} s"

    def refresh(self) -> None:
        """Take in the answers of new nodes; every REFRESH_S look for nodes that joined or left."""
        self._collect_probes()
        if time.monotonic() - self._refreshed_s >= REFRESH_S:
            self._look_for_nodes()

    def remove_node(self, node_id: str) -> None:
        """Offer a dead node's devices no longer; a node that comes back has another id."""
        if node := self._allocator.nodes.pop(node_id, None):
            self._gone[node_id] = (node, time.monotonic())

    def _look_for_nodes(self) -> None:
        self._refreshed_s = time.monotonic()
        alive = {entry["NodeID"]: entry for entry in ray.nodes() if entry["Alive"]}
        for node_id in set(self._allocator.nodes) - set(alive):
            self.remove_node(node_id)
        asked = {probe.node_id for probe in self._probes.values()}
        for node_id in set(alive) - set(self._allocator.nodes) - asked - set(self._gone):
            self._probes[start_probe(alive[node_id])] = _Probe(node_id, alive[node_id]["NodeManagerHostname"])

    def _collect_probes(self) -> None:
        done, _ = ray.wait(list(self._probes), num_returns=len(self._probes), timeout=0) if self._probes else ([], [])
        for reference in done:
            del self._probes[reference]
            with contextlib.suppress(RayError, GetTimeoutError):  # the node is gone again: the next refresh removes it
                node = ray.get(reference)
                self._allocator.nodes[node.node_id] = node


def _offers(node: Node, slot: Slot) -> bool:
    return Allocator({node.node_id: node}).infeasible(slot) is None
