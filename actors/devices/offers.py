"""Offers of a cluster's nodes to a plan: device classes, their order by memory, and levels that a spec leaves out."""

from collections.abc import Sequence

from actors.devices.nodes import Node
from sweeps.plan.spec import DEFAULT_CORES, Defaults


def device_classes(nodes: Sequence[Node]) -> list[str]:
    """Return the device classes of the cluster, each once; every cluster has `cpu`."""
    return ["cpu", *dict.fromkeys(gpu.device_class for node in nodes for gpu in node.gpus)]


def devices_by_memory(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return the device classes of the cluster by memory, the smallest first, and last the CPU, which has the most."""
    memory_bytes = {gpu.device_class: gpu.memory_bytes for node in nodes for gpu in node.gpus}
    return (*sorted(memory_bytes, key=lambda name: memory_bytes[name]), "cpu")


def default_levels(nodes: Sequence[Node]) -> Defaults:
    """Return the levels of factors that a spec leaves out: a GPU where there is one, and cores that every node has."""
    has_gpu = any(node.gpus for node in nodes)
    cores = min((len(node.cores) for node in nodes if node.cores and (node.gpus or not has_gpu)), default=1)
    return Defaults(device="gpu" if has_gpu else "cpu", cpu_cores=min(DEFAULT_CORES, cores))
