"""Ray's token: who may read it, and to whom it is shown. Whoever has it runs code on the cluster.

Knows no Ray, because Ray reads its settings when it is imported.
"""

import contextlib
import os
import socket
from pathlib import Path
from typing import Final

MODE: Final = "RAY_AUTH_MODE"


def show(address: str) -> None:
    """Have Ray, which is not imported yet, show the user's token at HOST:PORT if that is this machine.

    By itself Ray shows it only to a cluster that it found by itself (`auto` without RAY_ADDRESS). Elsewhere the
    user decides, by RAY_AUTH_MODE=token: a stranger who is shown the token could use it.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "")
    if MODE not in os.environ and _path().exists() and _is_here(address):
        os.environ[MODE] = "token"


def protect() -> None:
    """Ray writes the token world-readable: make it its user's."""
    with contextlib.suppress(OSError):
        _path().chmod(0o600)


def _path() -> Path:
    return Path.home() / ".ray" / "auth_token"


def _is_here(address: str) -> bool:
    """Whether the host of HOST:PORT is this machine: only there a socket can be bound to it."""
    host = address.rpartition(":")[0]
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return bool(host)
