"""Finds the Ray to join, by `--address`, RAY_ADDRESS or the processes of this machine.

Imports no Ray.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from sweeps.errors import UserError

VARIABLE: Final = "RAY_ADDRESS"
START: Final = "start one with './start_node.sh head', or leave --address out to have one started here"
"""Advice of messages that no Ray runs."""


class NoneHere(UserError):
    """No Ray runs on this machine."""


@dataclass(frozen=True)
class GcsAddress:
    """Address at which the control process (GCS) of a Ray should listen, and the source of this address."""

    host: str
    port: int
    source: str
    """Beginning of messages about this address."""
    advice: str
    """Advice of the message that nobody listens there."""
    is_own: bool = False
    """True if a raylet of that Ray runs on this machine."""

    def __str__(self) -> str:
        """Return HOST:PORT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """True if the host is this machine."""
        return is_here(self.host)


def find(address: str, environment: Mapping[str, str] = os.environ) -> GcsAddress:
    """Return the address that an `--address` means; for `auto`, look it up on this machine.

    Raises:
        UserError: the text is no address, or no Ray is found.
    """
    if address != "auto":
        advice = "start the head there with './start_node.sh head', or give the address that it printed"
        return parse(address, f"--address {address}", advice)
    if (named := environment.get(VARIABLE, "")) not in ("", "auto"):
        source = f"--address auto: {VARIABLE}={named} in the environment says where"
        return parse(
            named, source, f"unset {VARIABLE} to have the Ray of this machine found, or give --address HOST:PORT"
        )
    return choose(_recorded(environment), _running(), _record(environment))


def choose(recorded: str | None, running: Collection[str], record: Path) -> GcsAddress:
    """Choose the Ray that was started last on this machine.

    Args:
        recorded: HOST:PORT of the Ray that `ray start` started last, if its record file exists.
        running: HOST:PORT of every Ray that has a node on this machine now.
        record: path of the record file, for messages.

    Raises:
        NoneHere: no Ray runs on this machine.
        UserError: several Rays run, and none of them is recorded.
    """
    if recorded in running or len(running) == 1:
        chosen = recorded if recorded in running else next(iter(running))
        return parse(str(chosen), f"--address auto: found {chosen}", START, is_own=True)
    if running:
        raise UserError(
            f"--address auto: several Rays run on this machine ({', '.join(sorted(running))}) and there is no "
            "telling which is meant; give --address HOST:PORT"
        )
    if recorded:
        return parse(recorded, f"--address auto: {record} says {recorded}", f"a Ray that is gone left it; {START}")
    raise NoneHere(f"--address auto: no Ray runs on this machine; {START}")


def parse(text: str, source: str, advice: str, *, is_own: bool = False) -> GcsAddress:
    """Parse HOST:PORT or [IPv6]:PORT.

    Args:
        text: the address.
        source: beginning of messages about the address.
        advice: advice of the message that nobody listens there.
        is_own: a raylet of that Ray runs on this machine.

    Raises:
        UserError: the text is no such address.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/@\[\]]+)):([0-9]{1,5})", text)
    port = int(match[3]) if match else 0
    if match is None or not 0 < port < 65536:
        kind = " (ray:// is Ray Client, which cannot run sweeps)" if text.startswith("ray://") else ""
        raise UserError(
            f"{source}: it is neither local, auto, inline nor HOST:PORT{kind}; a head's is mostly HOST:6379"
        )
    return GcsAddress(match[1] or match[2], port, source, advice, is_own)


def is_here(host: str) -> bool:
    """Tell whether a host is this machine, by binding a socket, which fails with another machine's address."""
    try:
        family, kind, protocol, _, socket_address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(socket_address)
    except OSError:
        return False
    return bool(host)


def is_loopback(host: str) -> bool:
    """Tell whether a host is a loopback name or address, which means a different machine on every machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _record(environment: Mapping[str, str]) -> Path:
    """Return the path of the file in which `ray start` records its address."""
    base = environment.get("RAY_TMPDIR") or environment.get("TMPDIR") or "/tmp"  # noqa: S108 - Ray's own choice
    return Path(base) / "ray" / "ray_current_cluster"


def _recorded(environment: Mapping[str, str]) -> str | None:
    try:
        return _record(environment).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _running() -> set[str]:
    """Return HOST:PORT of every Ray that has a raylet on this machine."""
    found = set()
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "raylet":
            found |= {
                word.removeprefix("--gcs-address=")
                for word in process.info["cmdline"] or ()
                if word.startswith("--gcs-address=")
            }
    return found
