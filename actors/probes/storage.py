"""Storage of a file: the device or server, and the file system.

The kernel names in /proc the mount of an open file. Unlike a comparison of paths, this is exact with symbolic links,
with bind mounts, and with a mount that is hidden under another mount.
"""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mountinfo")
BLOCK_DEVICES: Final = Path("/sys/dev/block")
NAMELESS_ROOT: Final = "/dev/root"
"""Name of the device of `/` in a kernel that was started without an initial ramdisk, whatever the device is."""


@dataclass(frozen=True)
class Storage:
    """Device and file system that bytes are read from; None if the system does not name them."""

    device: str | None
    """Such as `/dev/nvme0n1p2`, `server:/path` or `tmpfs`."""
    filesystem: str | None
    """Such as `ext4`, `nfs4` or `tmpfs`."""


def storage_of(path: Path) -> Storage:
    """Return the storage of an existing file; symbolic links are followed."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:  # not Linux: no /proc
        facts = Path(f"/proc/self/fdinfo/{file.fileno()}").read_text()
        mount_id = re.search(r"^mnt_id:\s*(\d+)$", facts, re.MULTILINE)
        if mount_id is not None:
            return mounts(MOUNTS.read_text()).get(int(mount_id[1]), Storage(None, None))
    return Storage(None, None)


def mounts(mountinfo: str) -> Mapping[int, Storage]:
    """Parse a table of mounts; return the storage by mount id.

    Args:
        mountinfo: lines as in proc(5): id, parent, major:minor, root, mount point, options, any further fields, a lone
            dash, file system, device, its options; blanks inside fields are written as octal.
    """
    table = {}
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        mount_id, _parent, numbers, *_ = mount.split(" ")
        filesystem, device, *_ = source.split(" ")
        table[int(mount_id)] = Storage(_device_name(_unescape(device), numbers), filesystem)
    return table


def _device_name(device: str, numbers: str) -> str:
    found = BLOCK_DEVICES / numbers
    return f"/dev/{found.resolve().name}" if device == NAMELESS_ROOT and found.exists() else device


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)
