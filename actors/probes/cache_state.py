"""Brings files into the cache state that a row will claim, or refuses to: no row says 'cold' wrongly.

The state is that of this machine's page cache. The caches of a file server, of the host of a virtual machine and of the
drive itself are out of reach.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from actors.probes.page_cache import evict, read_in, resident_fraction
from actors.probes.storage import Storage
from sweeps.errors import Unsupported

CacheState = Literal["warm", "cold"]
WARM_FRACTION: Final = 0.99
"""Fraction of the pages that must be in the page cache for files to be called warm."""
ATTEMPTS: Final = 3
"""Number of tries: meanwhile other processes may read the files, and the kernel may reclaim pages."""
_OBSTACLES: Final[Mapping[CacheState, str]] = {
    "cold": "stay in the page cache: the file system lies in memory (tmpfs), or a process has the files mapped; "
    "take 'warm', another source, or end that process",
    "warm": "are in the page cache after the files were read: they do not fit into free memory, or their file "
    "system bypasses the page cache; take 'cold', or free memory",
}


def refuse_hidden_cache(storage: Storage) -> None:
    """Refuse storage that this machine caches a second time, behind the page cache: its files cannot be made cold.

    Raises:
        Unsupported: for ZFS (its ARC), FUSE (its daemon) and loop devices (the page cache of the image).
    """
    filesystem, device = storage.filesystem or "", storage.device or ""
    if filesystem == "zfs" or filesystem.startswith("fuse") or device.startswith("/dev/loop"):
        raise Unsupported(
            f"cache_state 'cold': {filesystem} on {device} is cached a second time, behind the page cache, and "
            "nothing can be evicted there; take 'warm', or a source on another file system"
        )


def bring_into(state: CacheState, paths: Sequence[Path]) -> float | None:
    """Evict the files or read them in, and check the result.

    Returns:
        The resident fraction of the files, which agrees with the state; None if the kernel hides the fraction, which
        is accepted for `warm` only.

    Raises:
        Unsupported: the files could not be brought into that state, or the kernel hides whether they are cold.
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
