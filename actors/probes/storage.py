"""What a file lies on: the device or server, and the file system.

The kernel says in /proc which mount an open file belongs to. That is exact where comparing paths is not: with
symbolic links, bind mounts, and one mount hidden under another.
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
"""What a kernel that was started without an initial ramdisk calls the device of `/`, whichever it is."""


@dataclass(frozen=True)
class Storage:
    """Where bytes come from when they are not in memory; None where the system does not tell."""

    device: str | None
    """`/dev/nvme0n1p2`, `server:/path`, `tmpfs`."""
    filesystem: str | None
    """`ext4`, `nfs4`, `tmpfs`."""


def storage_of(path: Path) -> Storage:
    """Of a file that exists, symbolic links followed."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:  # not Linux: no /proc
        facts = Path(f"/proc/self/fdinfo/{file.fileno()}").read_text()
        mount_id = re.search(r"^mnt_id:\s*(\d+)$", facts, re.MULTILINE)
        if mount_id is not None:
            return mounts(MOUNTS.read_text()).get(int(mount_id[1]), Storage(None, None))
    return Storage(None, None)


def mounts(mountinfo: str) -> Mapping[int, Storage]:
    """Mount id to storage.

    Args:
        mountinfo: as in proc(5): id, parent, major:minor, root, mount point, options, any further fields, a lone
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
