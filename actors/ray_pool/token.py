"""Ray's token: its file, the Rays that it is shown to, and the check that both sides use the same one.

A process with the token can run code on the cluster. If only one of driver and cluster uses a token, Ray fails with a
message that does not help; so the two are compared before Ray connects. Imports no Ray.
"""

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from actors.ray_pool import address, gcs_probe
from actors.ray_pool.address import GcsAddress
from actors.ray_pool.gcs_probe import Answer
from sweeps.errors import UserError

MODE: Final = "RAY_AUTH_MODE"
TOKEN: Final = "RAY_AUTH_TOKEN"  # noqa: S105 - the name of a variable
PATH: Final = "RAY_AUTH_TOKEN_PATH"
ON: Final = "token"
OFF: Final = "disabled"
T = TypeVar("T")


@dataclass(frozen=True)
class HeldToken:
    """This side's token, and the variable or file that has it."""

    token: str
    source: str


def held_token(environment: Mapping[str, str] = os.environ) -> HeldToken | None:
    """Return this side's token, from the same sources as Ray and in the same order; None without a token.

    Raises:
        UserError: a file that should have the token cannot be read, or the file named in the variable is empty.
    """
    if token := environment.get(TOKEN, "").strip():
        return HeldToken(token, TOKEN)
    if named := environment.get(PATH):
        token = _read(Path(named), f"{PATH}={named}")
        if not token:
            raise UserError(f"{PATH}={named}: no token in that file; name another, or unset {PATH}")
        return HeldToken(token, named)
    token = _read(_token_path(environment), str(_token_path(environment))) if _token_path(environment).exists() else ""
    return HeldToken(token, "~/.ray/auth_token") if token else None


def agreed_mode(gcs: GcsAddress, environment: Mapping[str, str] = os.environ) -> str:
    """Return the mode in which this side joins a Ray: the Ray's own, unless the user chose another.

    Raises:
        UserError: no Ray is there, or the two sides differ; the message says which side has what, and what to do.
    """
    if environment.get("RAY_USE_TLS", "").lower() in ("1", "true"):
        _ask_or_explain(gcs, lambda: gcs_probe.check_reachable(gcs.host, gcs.port))  # Ray itself handles TLS
        return environment.get(MODE, OFF)

    def ask(token: str | None) -> Answer:
        return gcs_probe.ask(gcs.host, gcs.port, token)

    return choose_mode(
        gcs,
        _user_mode(environment),
        lambda: held_token(environment),
        lambda token: _ask_or_explain(gcs, lambda: ask(token)),
    )


def choose_mode(
    gcs: GcsAddress, chosen: str | None, own: Callable[[], HeldToken | None], ask: Callable[[str | None], Answer]
) -> str:
    """Return the mode in which this side joins a Ray that is there.

    Args:
        gcs: address of the Ray.
        chosen: the mode that the user set; None: the user set none.
        own: returns this side's token.
        ask: returns the Ray's answer to a token, or to None for a call without a token.

    Raises:
        UserError: the two sides differ.
    """
    if ask(None) is Answer.WELCOME:
        if chosen == ON:
            raise UserError(
                f"{gcs.source}: the Ray at {gcs} uses no token and this side does ({MODE}={ON}); unset {MODE}, "
                f"or start that Ray with {MODE}={ON}, as './start_node.sh head' does"
            )
        return OFF
    asks = f"{gcs.source}: the Ray at {gcs} asks for a token"
    if chosen == OFF:
        raise UserError(f"{asks} and this side shows none ({MODE}={OFF}); unset {MODE}")
    token = own()
    if token is None:
        raise UserError(
            f"{asks} and this side has none in {TOKEN}, {PATH} or ~/.ray/auth_token; copy the head's: "
            "scp HEAD:.ray/auth_token ~/.ray/ && chmod 600 ~/.ray/auth_token"
        )
    if chosen is None and not gcs.is_own and not gcs.is_here:
        # Another machine that is shown the token could use it.
        raise UserError(
            f"{asks}; the one in {token.source} is shown to other machines only if you say so: export {MODE}={ON}"
        )
    if ask(token.token) is not Answer.WELCOME:
        raise UserError(
            f"{asks}, and another one than this side has in {token.source}; copy the head's "
            "('./start_node.sh token' prints it there), or start that Ray again with this one"
        )
    return ON


def mode_to_start(environment: Mapping[str, str] = os.environ) -> str:
    """Return the mode of a Ray that is started here; make a token if there is none, unless the user chose no token.

    Raises:
        UserError: the token cannot be read or written, or the variable names no mode.
    """
    if _user_mode(environment) == OFF:
        return OFF
    if held_token(environment) is None:
        _create_token(_token_path(environment))
    return ON


def protect() -> None:
    """Let only its user read the token's file, which Ray writes readable for everybody."""
    with contextlib.suppress(OSError):
        _token_path(os.environ).chmod(0o600)


def _create_token(path: Path) -> None:
    """Make a token before Ray does, whose file everybody could read for a moment."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # an empty file may be left
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:  # another command made it meanwhile
        return
    except OSError as error:
        raise UserError(
            f"{path}: Ray keeps its token there, which cannot be written ({error.strerror}); "
            f"name a file that has one in {PATH}, or set HOME to a directory of yours"
        ) from error


def _user_mode(environment: Mapping[str, str]) -> str | None:
    mode = environment.get(MODE)
    if mode is not None and mode.lower() not in (ON, OFF):
        raise UserError(f"{MODE}={mode}: choose {ON} or {OFF}, or unset it")
    return mode and mode.lower()


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: the token cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _token_path(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME")
    return (Path(home) if home else Path.home()) / ".ray" / "auth_token"


def _ask_or_explain(gcs: GcsAddress, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except gcs_probe.NoRayThere as error:
        raise UserError(f"{gcs.source}: no Ray to use there ({error}); {gcs.advice}") from error


def main() -> None:
    """Check for `start_node.sh` that this machine may join the Ray at HOST:PORT; else exit with 2 and the reason."""
    (host_port,) = sys.argv[1:]
    advice = "does the head run ('./start_node.sh head'), and does a firewall let this through?"
    try:
        gcs = address.parse(host_port, f"worker {host_port}", advice)
        if _ask_or_explain(gcs, lambda: gcs_probe.ask(gcs.host, gcs.port)) is Answer.WELCOME:
            raise UserError(
                f"{gcs.source}: the Ray there uses no token and this script always does; start its head with "
                f"'./start_node.sh head', or join it with 'ray start --address={gcs}'"
            )
        agreed_mode(gcs)
    except UserError as error:
        print(f"start_node.sh: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
