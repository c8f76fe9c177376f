"""Probes the control process (GCS) of a Ray, and whether it needs a token, before Ray connects to it.

Ray itself waits minutes for a control process that does not exist, and does not say which side lacks the token. This
module imports no Ray: it makes the call with which Ray's tools check a head, and does not read the answer.
"""

import contextlib
import socket
from enum import Enum
from typing import Final

import grpc

CONNECT_TIMEOUT_S: Final = 5.0
_METHOD: Final = "/ray.rpc.NodeInfoGcsService/CheckAlive"


class NoRayThere(Exception):
    """No Ray answers at an address; the message says what happened instead."""


class Answer(Enum):
    """Answer of a control process to a probe."""

    WELCOME = "welcome"
    REFUSED = "refused"
    """The token is missing, or is not the cluster's."""


def ask(host: str, port: int, token: str | None = None) -> Answer:
    """Probe the control process at an address, with `token` if one is given.

    Raises:
        NoRayThere: nothing listens there, or the process is not the control process of a Ray.
    """
    check_reachable(host, port)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    metadata = [("authorization", f"Bearer {token}")] if token else None
    with contextlib.closing(grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])) as channel:
        try:
            channel.unary_unary(_METHOD)(b"", timeout=CONNECT_TIMEOUT_S, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
                return Answer.REFUSED
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise NoRayThere(f"what listens there does not answer within {CONNECT_TIMEOUT_S:g} s") from error
            raise NoRayThere(
                "what listens there is no head of a Ray: the port is the one after 'ray start --head --port=', "
                "mostly 6379, not the dashboard's (8265) nor Ray Client's (10001)"
            ) from error
    return Answer.WELCOME


def check_reachable(host: str, port: int) -> None:
    """Check that a process listens at an address.

    Raises:
        NoRayThere: the host is unknown or cannot be reached, or no process listens there.
    """
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, UnicodeError) as error:
        raise NoRayThere(f"nobody listens there: {getattr(error, 'strerror', None) or error}") from error
