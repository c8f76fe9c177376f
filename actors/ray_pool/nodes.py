"""The nodes of a Ray cluster with their devices, found by a task on each node; and a check whether a node is dead.

Ray's own list has a node's resources, but neither the names of its cards nor its physical cores.
"""

import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import psutil
import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.devices.nodes import Node, local_node
from actors.probes import environment
from actors.ray_pool import gcs_probe, surroundings
from sweeps.errors import UserError

PROBE_TIMEOUT_S: Final = 60.0


def cluster_nodes() -> list[Node]:
    """Return every live node with its devices, found on the node itself; a node that turns out to be dead is left out.

    Raises:
        UserError: a node does not answer.
    """
    probes = [(entry["NodeManagerHostname"], start_probe(entry)) for entry in ray.nodes() if entry["Alive"]]
    answers = []
    for host, probe in probes:
        try:
            answers.append(ray.get(probe, timeout=PROBE_TIMEOUT_S))
        except GetTimeoutError as error:
            raise UserError(f"node {host} does not say within {PROBE_TIMEOUT_S:g} s what it has; restart it") from error
        except RayError:  # the node died some seconds ago, and Ray had not noticed
            continue
    return answers


def start_probe(entry: Mapping[str, Any]) -> Any:
    """Start a task on a node that returns its Node; `entry` is the node's entry in `ray.nodes()`."""
    strategy = NodeAffinitySchedulingStrategy(entry["NodeID"], soft=False)
    offered_cores = int(entry["Resources"].get("CPU", 0))
    return _describe_node.options(scheduling_strategy=strategy).remote(entry["NodeID"], offered_cores)


def _describe_here(node_id: str, offered_cores: int) -> Node:
    """Describe this node, with the GPUs of the environment that this process began with.

    That environment is the raylet's; afterwards Ray hides the GPUs from this task.
    """
    began_with = psutil.Process().environ()
    node = replace(local_node(node_id, offered_cores, began_with), files=surroundings.file_locations(began_with))
    return replace(node, environment_id=environment.describe(node)[1])


_describe_node: Any = ray.remote(num_cpus=0, max_retries=0)(_describe_here)


def is_node_gone(node_id: str) -> bool:
    """Tell whether a node is dead: Ray says so, or nothing listens there, which Ray notices some 15 s later."""
    entry = next((entry for entry in ray.nodes() if entry["NodeID"] == node_id), None)
    if entry is None or not entry["Alive"]:
        return True
    try:
        socket.create_connection(
            (entry["NodeManagerAddress"], entry["NodeManagerPort"]), timeout=gcs_probe.CONNECT_TIMEOUT_S
        ).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # slow or cut off, perhaps for a moment: Ray decides
        return False
    return False
