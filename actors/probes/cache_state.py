"""Brings files into the cache state that a row is going to claim, or refuses: never a wrong 'cold'.

It is the page cache of this machine that is meant. What a file server, the host of a virtual machine or the drive
itself remembers is out of reach.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from actors.probes.page_cache import evict, read_in, resident_fraction
from actors.probes.storage import Storage
from sweeps.errors import Unsupported

CacheState = Literal["warm", "cold"]
WARM_FRACTION: Final = 0.99
"""Of the pages: so much must be in the page cache for it to be called warm."""
ATTEMPTS: Final = 3
"""Other processes read, and the kernel reclaims, while this is done: once more may do."""
_OBSTACLES: Final[Mapping[CacheState, str]] = {
    "cold": "stay in the page cache: the file system lies in memory (tmpfs), or a process has the files mapped; "
    "take 'warm', another source, or end that process",
    "warm": "are in the page cache after they were read, and no more: they do not fit into free memory, or their file "
    "system bypasses it; take 'cold', or free memory",
}


def refuse_hidden_cache(storage: Storage) -> None:
    """Refuse to make cold what this machine caches a second time, behind the page cache of the files.

    Raises:
        Unsupported: ZFS (its ARC), FUSE (its daemon) and loop devices (the page cache of the image).
    """
    filesystem, device = storage.filesystem or "", storage.device or ""
    if filesystem == "zfs" or filesystem.startswith("fuse") or device.startswith("/dev/loop"):
        raise Unsupported(
            f"cache_state 'cold': {filesystem} on {device} is cached a second time, behind the page cache, and "
            "nothing can be evicted there; take 'warm', or a source on another file system"
        )


def bring_into(state: CacheState, paths: Sequence[Path]) -> float | None:
    """Evict the files, or read them in, and see that it is so.

    Returns:
        The resident fraction of the files, which does not contradict the state; None where the kernel hides it,
        which it must not for a cold one.

    Raises:
        Unsupported: they could not be brought into that state, or nobody can tell.
    """
    for _ in range(ATTEMPTS):
        fraction = _evicted(paths) if state == "cold" else _read(paths)
        if fraction is None or _is_reached(state, fraction):
            break
    if fraction is None and state == "cold":
        raise Unsupported(
            f"cache_state 'cold': the kernel does not tell this user what of {_names(paths)} is in the page cache; run "
            "as the owner of the files, or make them writable"
        )
    if fraction is not None and not _is_reached(state, fraction):
        raise Unsupported(f"cache_state {state!r}: {fraction:.1%} of {_names(paths)} {_OBSTACLES[state]}")
    return fraction


def _evicted(paths: Sequence[Path]) -> float | None:
    evict(paths)
    return resident_fraction(paths)


def _read(paths: Sequence[Path]) -> float | None:
    fraction = resident_fraction(paths)
    if fraction == 1:
        return fraction
    read_in(paths)
    return resident_fraction(paths)


def _is_reached(state: CacheState, fraction: float) -> bool:
    return fraction == 0 if state == "cold" else fraction >= WARM_FRACTION


def _names(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
