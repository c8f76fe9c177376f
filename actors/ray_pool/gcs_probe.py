"""Asks the control process (GCS) of a Ray who it is and whether it wants a token, before Ray connects to it.

Ray itself waits minutes where nobody is, and does not say which side lacks the token. Knows no Ray: what is asked is
the call with which Ray's own tools ask whether a head lives, and the answer is not read.
"""

import contextlib
import socket
from enum import Enum
from typing import Final

import grpc

CONNECT_TIMEOUT_S: Final = 5.0
_METHOD: Final = "/ray.rpc.NodeInfoGcsService/CheckAlive"


class NoRayThere(Exception):
    """No Ray answers there; the message says what was seen."""


class Answer(Enum):
    """Answer of a control process to a visitor."""

    WELCOME = "welcome"
    REFUSED = "refused"
    """A token is missing or another one."""


def ask(host: str, port: int, token: str | None = None) -> Answer:
    """Knock, and show `token` if there is one.

    Raises:
        NoRayThere: nobody listens, or it is not the control process of a Ray.
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
    """Find out whether anybody listens.

    Raises:
        NoRayThere: the host is not known or not reached, or nobody listens.
    """
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, UnicodeError) as error:
        raise NoRayThere(f"nobody listens there: {getattr(error, 'strerror', None) or error}") from error
