"""Interpreter and environment variables of actors that do not start with those of their raylet."""

import contextlib
import os
import shlex
from collections.abc import Mapping
from typing import Any

import psutil
import ray

from actors.ray_pool import surroundings


def runtime_env(python: str | None, host: str, files: Mapping[str, str]) -> dict[str, Any] | None:
    """Return Ray's `runtime_env` for an actor; None if the raylet's interpreter and variables do, which is quicker.

    Args:
        python: the interpreter; None: the raylet's.
        host: host of the actor's node.
        files: `file_locations` of the raylet there.
    """
    variables = surroundings.differing_locations(host, files, surroundings.file_locations())
    wanted: dict[str, Any] = {"env_vars": variables} if variables else {}
    if python:
        wanted["py_executable"] = shlex.quote(python)  # Ray inserts it unquoted into a shell command
    return wanted or None


def raylet_environment() -> Mapping[str, str]:
    """Return the environment of this node's raylet, which its actors get; if it cannot be read, this process's own."""
    socket_name = ray._private.worker.global_worker.node.raylet_socket_name
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "raylet" and any(socket_name in word for word in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.Error):
                return process.environ()
    return os.environ
