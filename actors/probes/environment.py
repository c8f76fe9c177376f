"""Environment of a worker's rows: versions, driver, host, GPUs, commit; and a short id of the environment."""

import os
import platform
import socket
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from actors.devices.nodes import Node
from sweeps.plan.declaration import ENTRY_POINT_GROUP
from sweeps.task import digest

PACKAGES: Final = (
    "sweeps",
    "accelerate",
    "bitsandbytes",
    "datasets",
    "numpy",
    "pyarrow",
    "ray",
    "tokenizers",
    "torch",
    "transformers",
)


def describe(node: Node) -> tuple[dict[str, Any], str]:
    """Return the environment of rows measured on a node, as JSON-able content, and its id."""
    content = {
        "host": socket.gethostname(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "versions": _versions(),
        "cpu": node.cpu_name,
        "physical_cores": len(node.cores),
        "memory_bytes": int(psutil.virtual_memory().total),
        "gpus": [{"name": gpu.name, "uuid": gpu.uuid, "memory_bytes": gpu.memory_bytes} for gpu in node.gpus],
        "driver": _driver(),
        "commit": _commit(),
    }
    return content, digest(content)


@cache
def _versions() -> dict[str, str]:
    """Return the versions of PACKAGES and of packages that offer benchmarks, as they are imported."""
    installed: dict[str, str] = {}
    for distribution in metadata.distributions():
        installed.setdefault(distribution.name.lower(), distribution.version)  # the first on the path is imported
    points = metadata.entry_points(group=ENTRY_POINT_GROUP)
    plugins = sorted({point.dist.name.lower() for point in points if point.dist is not None})
    return {package: installed[package] for package in (*PACKAGES, *plugins) if package in installed}


@cache
def _driver() -> str | None:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    finally:
        pynvml.nvmlShutdown()


@cache
def _commit() -> str | None:
    """Return the commit of the checkout of this code, with `+changes` if files differ; None without a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    head = _git(root, "rev-parse", "HEAD")
    return head and head + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def _git(root: Path, *arguments: str) -> str | None:
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
