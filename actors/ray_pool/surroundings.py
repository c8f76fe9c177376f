"""Effects of a user's environment on a Ray: directories too long for its sockets, proxies, another terminal's caches.

Imports no Ray; environments are passed in and returned as values.
"""

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

import psutil

from sweeps.errors import UserError

TMPDIR: Final = "RAY_TMPDIR"
LONGEST_SOCKET_PATH: Final = 107
"""Bytes that the path of a Unix socket may have."""
_RAY_SUBPATH_BYTES: Final = len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
"""Bytes that Ray adds to the directory, with the largest possible process id."""
_DEFAULT_DIRECTORIES: Final = ("/tmp", "/var/tmp")  # noqa: S108 - Ray's own default, and one more
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
_NO_PROXY_VARIABLES: Final = ("no_proxy", "NO_PROXY", "no_grpc_proxy")


def socket_directory(environment: Mapping[str, str] = os.environ) -> str:
    """Return the directory for the sockets and logs of a Ray that is started here.

    Raises:
        UserError: the directory in RAY_TMPDIR cannot be used, or no directory can.
    """
    if named := environment.get(TMPDIR):
        with contextlib.suppress(OSError):  # socket_problem gives the reason
            Path(named).mkdir(parents=True, exist_ok=True)
        if problem := socket_problem(named):
            raise UserError(f"{TMPDIR}={named}: {problem}; name another directory, or unset {TMPDIR}")
        return named
    candidates = [*filter(None, [environment.get("TMPDIR")]), *_DEFAULT_DIRECTORIES]
    for candidate in candidates:
        if not socket_problem(candidate):
            return candidate
    problems = "; ".join(f"{candidate}: {socket_problem(candidate)}" for candidate in dict.fromkeys(candidates))
    raise UserError(f"no directory for the sockets of Ray ({problems}); name one in {TMPDIR}")


def directory_variables(directory: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return variables by which Ray and its libraries make their sockets in that directory."""
    own = environment.get("TMPDIR")
    return {TMPDIR: directory} | ({"TMPDIR": directory} if own and socket_problem(own) else {})


def socket_problem(base: str) -> str | None:
    """Return the reason why Ray cannot keep its sockets below a directory; None if it can."""
    length = len(os.fsencode(base.rstrip("/"))) + _RAY_SUBPATH_BYTES
    if length > LONGEST_SOCKET_PATH:
        longest = LONGEST_SOCKET_PATH - _RAY_SUBPATH_BYTES
        return f"too long by {length - LONGEST_SOCKET_PATH} bytes for Ray's sockets, which allow {longest}"
    if not Path(base).is_absolute():
        return "not an absolute path"
    own = Path(base) / "ray"
    place = own if own.exists() else Path(base)
    if not place.is_dir():
        return "no such directory" if place == Path(base) else f"{own} is no directory"
    try:
        tempfile.TemporaryDirectory(dir=place).cleanup()
    except OSError as error:
        return f"{place} cannot be written ({error.strerror})"
    return None


def proxy_exemptions(hosts: Collection[str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return variables by which connections to `hosts` and to this machine avoid the user's proxy; empty without one.

    All other connections still use the proxy, which may be the only way to the Hub.
    """
    if not any(environment.get(name) or environment.get(name.upper()) for name in _PROXY_VARIABLES):
        return {}
    exempt = [*LOOPBACK, *hosts]
    before = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    changed = {}
    for name in _NO_PROXY_VARIABLES:
        if name == "no_grpc_proxy" and name not in environment:  # set by us, it would override the others
            continue
        entries = [entry.strip() for entry in (environment.get(name) or before).split(",") if entry.strip()]
        if "*" not in entries:
            changed[name] = ",".join(dict.fromkeys([*entries, *exempt]))
    return changed


def ray_variables_note(names: Iterable[str]) -> str:
    """Return the end of a message that names the user's variables for Ray; empty if there are none."""
    rays = sorted(name for name in names if name.startswith("RAY_"))
    return f"; set in the environment: {', '.join(rays)}" if rays else ""


def own_addresses() -> list[str]:
    """Return the addresses of this machine; Ray's processes here use one of them."""
    return [
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    ]


def file_locations(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables by which a process with this environment finds models and corpora.

    Every variable has a value, and paths are absolute. A token for the Hub is left out, because Ray's dashboard shows
    all variables that are passed to Ray.
    """
    home = environment.get("HOME") or str(Path.home())
    cache = environment.get("XDG_CACHE_HOME") or f"{home}/.cache"
    hub_home = environment.get("HF_HOME") or f"{cache}/huggingface"
    places = {
        "XDG_CACHE_HOME": cache,
        "HF_HOME": hub_home,
        "HF_HUB_CACHE": environment.get("HF_HUB_CACHE")
        or environment.get("HUGGINGFACE_HUB_CACHE")
        or f"{hub_home}/hub",
        "HF_DATASETS_CACHE": environment.get("HF_DATASETS_CACHE") or f"{hub_home}/datasets",
    }
    paths = {name: str(Path(os.path.expanduser(path)).absolute()) for name, path in places.items()}  # noqa: PTH111
    offline = environment.get("HF_HUB_OFFLINE", "") or "0"
    switches = {"HF_HUB_OFFLINE": offline, "HF_DATASETS_OFFLINE": environment.get("HF_DATASETS_OFFLINE", "") or offline}
    return paths | switches | {"HF_ENDPOINT": environment.get("HF_ENDPOINT") or "https://huggingface.co"}


def differing_locations(host: str, there: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """Return variables for the workers on a node, so that a name means the same file there as for this command.

    Empty for another machine, which has its own caches. Empty if Ray was started with the same variables, because
    workers start more quickly without extra ones.

    Args:
        host: host of the node.
        there: `file_locations` of the Ray on that node; empty: not known.
        here: `file_locations` of this process.
    """
    if host != socket.gethostname() or not there or dict(there) == dict(here):
        return {}
    return dict(here)


def main() -> None:
    """Check for `start_node.sh` that Ray can keep its sockets in its directory; else exit with the reason."""
    try:
        socket_directory()
    except UserError as error:
        sys.exit(f"start_node.sh: {error}")


if __name__ == "__main__":
    main()
