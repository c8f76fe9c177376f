"""Plan of the raylets of a machine: a raylet for each class of GPU, each with its own GPUs and cores.

`start_node.sh` runs `python -m actors.devices.raylets [CLASS=CORES ...]`, which prints a line for each raylet: class,
cores and UUIDs. Knows no Ray; the machine's devices are found by the same code as in a sweep.
"""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from actors.devices.nodes import Gpu, Node, local_node
from sweeps.errors import UserError

CPU: Final = "cpu"
"""The class of a raylet without GPUs."""
ALL: Final = "all"
"""The class of a raylet with every GPU."""


@dataclass(frozen=True)
class Raylet:
    """Cores and GPUs that one raylet offers; no core and no GPU belongs to two raylets."""

    device_class: str
    cores: tuple[int, ...]
    gpu_uuids: tuple[str, ...]

    def __str__(self) -> str:
        """Return three words for a shell: class, cores, and GPUs or `-` for none."""
        return f"{self.device_class} {','.join(map(str, self.cores))} {','.join(self.gpu_uuids) or '-'}"


def plan(node: Node, wanted: Sequence[str] = ()) -> list[Raylet]:
    """Return the raylets of a machine.

    Args:
        node: the machine.
        wanted: `CLASS=CORES` for each raylet: a class of GPU, `cpu` or `all`; without any, see `fair_shares`.

    Raises:
        UserError: an entry is not CLASS=CORES, the machine lacks a class, two raylets want the same GPU, or there are
            too few cores.
    """
    shares = [_parse(entry) for entry in wanted] or fair_shares(node)
    classes = [device_class for device_class, _ in shares]
    _check_classes(node, classes)
    if sum(cores for _, cores in shares) > len(node.cores):
        asked = " ".join(f"{device_class}={cores}" for device_class, cores in shares)
        raise UserError(
            f"too few cores for {asked}: there are {len(node.cores)} physical cores that this process may use; "
            "give every raylet fewer, leave a class out, or put all GPUs into one raylet with all=CORES"
        )
    raylets, given = [], 0
    for device_class, cores in shares:
        uuids = tuple(gpu.uuid for gpu in _gpus(node, device_class))
        raylets.append(Raylet(device_class, node.cores[given : given + cores], uuids))
        given += cores
    return raylets


def fair_shares(node: Node) -> list[tuple[str, int]]:
    """Return each class of GPU and its cores: the same whole number for every GPU, and at least one for a class.

    Cores that cannot be divided evenly stay free for the driver, the coordinator and the system.
    """
    sizes = Counter(gpu.device_class for gpu in node.gpus)
    if not sizes:
        return [(CPU, len(node.cores))]
    cores_per_gpu = len(node.cores) // len(node.gpus)
    return [(device_class, max(1, cores_per_gpu * size)) for device_class, size in sizes.items()]


def _parse(entry: str) -> tuple[str, int]:
    match = re.fullmatch(r"([a-z0-9.-]+)=([1-9][0-9]*)", entry)
    if match is None:
        raise UserError(f"SWEEPS_RAYLETS: {entry!r} is not CLASS=CORES, such as tesla-k80=8, cpu=4 or all=16")
    return match[1], int(match[2])


def _check_classes(node: Node, classes: Sequence[str]) -> None:
    known = [*dict.fromkeys(gpu.device_class for gpu in node.gpus), CPU, ALL]
    for device_class in classes:
        if device_class not in known:
            raise UserError(f"SWEEPS_RAYLETS: no {device_class!r} on this machine; choose of {', '.join(known)}")
    for one, other in combinations(classes, 2):
        if one == other or (ALL in (one, other) and CPU not in (one, other)):
            raise UserError(f"SWEEPS_RAYLETS: {one!r} and {other!r} would share what only one raylet can own")


def _gpus(node: Node, device_class: str) -> list[Gpu]:
    return [gpu for gpu in node.gpus if device_class in (ALL, gpu.device_class)]


def main() -> None:
    """Print this machine's raylets, one line each."""
    try:
        for raylet in plan(local_node(), sys.argv[1:]):
            print(raylet)
    except UserError as error:
        sys.exit(f"start_node.sh: {error}")


if __name__ == "__main__":
    main()
