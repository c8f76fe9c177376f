"""A file's device and file system agree with `df`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.probes.storage import Storage, mounts, storage_of

SHARED_MEMORY = Path("/dev/shm")

MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/nvme0n1p2 rw,discard
41 27 0:38 / /mnt/my\\040disk rw shared:9 - nfs4 server:/a\\040path rw,vers=4.2
42 27 0:39 / /nameless rw - tmpfs  rw
"""


def test_the_kernel_s_table_is_read() -> None:
    assert mounts(MOUNTINFO) == {
        22: Storage("proc", "proc"),
        27: Storage("/dev/nvme0n1p2", "ext4"),
        41: Storage("server:/a path", "nfs4"),
        42: Storage("", "tmpfs"),
    }


def test_a_nameless_root_is_looked_up_by_its_numbers() -> None:
    blocks = sorted(Path("/sys/dev/block").glob("*"))
    if not blocks:
        pytest.skip("no block device here")
    line = f"27 1 {blocks[0].name} / / rw - ext4 /dev/root rw"
    assert mounts(line)[27] == Storage(f"/dev/{blocks[0].resolve().name}", "ext4")
    assert mounts("27 1 9999:9999 / / rw - ext4 /dev/root rw")[27].device == "/dev/root"


def test_it_is_what_df_says(tmp_path: Path) -> None:
    if shutil.which("df") is None:
        pytest.skip("no df here")
    file = tmp_path / "file"
    file.touch()
    told = subprocess.run(["df", "--output=source,fstype", file], capture_output=True, text=True, check=True).stdout
    device, filesystem = told.splitlines()[1].split()
    assert storage_of(file) == Storage(device, filesystem)


def test_a_symbolic_link_counts_for_its_target(tmp_path: Path) -> None:
    if not os.access(SHARED_MEMORY, os.W_OK):
        pytest.skip("no /dev/shm here")
    target = SHARED_MEMORY / f"{tmp_path.parent.name}-{tmp_path.name}"
    target.touch()
    try:
        link = tmp_path / "link"
        link.symlink_to(target)
        assert storage_of(link).filesystem == "tmpfs"
    finally:
        target.unlink()


def test_a_mount_that_is_hidden_under_another_does_not_count(tmp_path: Path, python: str) -> None:
    """A comparison of paths would find the longer, hidden mount point."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    script = f"""
        mount -t tmpfs hidden {inner} && mount -t tmpfs visible {inner.parent} && mkdir {inner} && touch {inner}/file &&
        {python} -c 'from pathlib import Path; from actors.probes.storage import storage_of; import sys
print(storage_of(Path(sys.argv[1])).device)' {inner}/file
    """
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace of our own to be had here")
    told = subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert told.stdout.strip() == "visible", told.stderr
