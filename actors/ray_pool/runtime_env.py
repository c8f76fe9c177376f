"""The interpreter and the environment variables that Ray gives an actor only when asked to."""

import contextlib
import os
import shlex
from collections.abc import Mapping
from typing import Any

import psutil
import ray

from actors.ray_pool import surroundings


def runtime_env(python: str | None, host: str, files: Mapping[str, str]) -> dict[str, Any] | None:
    """Interpreter and variables that Ray would not give an actor by itself; None: no others, which is quicker."""
    variables = surroundings.differing_locations(host, files, surroundings.file_locations())
    wanted: dict[str, Any] = {"env_vars": variables} if variables else {}
    if python:
        wanted["py_executable"] = shlex.quote(python)  # Ray puts it into a shell's command line as it is
    return wanted or None


def raylet_environment() -> Mapping[str, str]:
    """Environment of the raylet on this node, which its actors get; our own where the raylet's cannot be read."""
    socket_name = ray._private.worker.global_worker.node.raylet_socket_name
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "raylet" and any(socket_name in word for word in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.Error):
                return process.environ()
    return os.environ
