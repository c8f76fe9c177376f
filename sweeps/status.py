"""`python -m sweeps.status`: where the runs of a Ray cluster stand, seen from any terminal."""

from sweeps import import_order, interrupts

if __name__ == "__main__":
    interrupts.quit_at_once()
    import_order.ours_first()

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from sweeps.errors import UserError
from sweeps.progress import View, headline, report, views
from sweeps.standing import Status
from sweeps.task import Slot

EXIT_USER_ERROR: Final = 2
WATCH_S: Final = 0.5
WAIT_S: Final = 1.0

Standings = Mapping[str, Status | None]
"""Name of a run to where it stands; None: it is there and does not answer."""


def main(
    address: Annotated[str, typer.Option(help="auto finds the Ray of this machine; or HOST:PORT")] = "auto",
    watch: Annotated[bool, typer.Option("--watch", help="wait for a run, and go on until none is left")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document, for programs")] = False,
) -> None:
    """Show every run of a Ray cluster: progress, a line for each worker, warnings."""
    console = Console()
    try:
        if as_json and watch:
            raise UserError("--json is where the runs stand once; leave --watch out, and ask again")
        _look(console, address, watch=watch, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit from None
    except UserError as error:
        Console(stderr=True).print(Text(f"error: {error}"), soft_wrap=True)
        raise typer.Exit(EXIT_USER_ERROR) from None


def _look(console: Console, address: str, *, watch: bool, as_json: bool) -> None:
    if address in ("local", "inline"):
        raise UserError(
            f"--address {address}: give auto or HOST:PORT, which a run prints when it starts; "
            "what runs inline is seen in its own terminal only"
        )
    if watch:
        await_ray(console, address)
    from actors import ray_pool  # only here: a wrong command is told before the seconds that Ray takes

    with ray_pool.visited(address) as found:
        if watch:
            await_run(console, found, ray_pool.standings, ray_pool.is_there)
            follow(console, ray_pool.standings)
        elif as_json:
            _tell(console, json.dumps({"address": found, "runs": plain(ray_pool.standings())}, ensure_ascii=False))
        elif standings := ray_pool.standings():
            show(console, standings)
        else:
            _tell(console, f"no run there: the Ray at {found} has none")


def await_ray(console: Console, address: str) -> None:
    """Return when a Ray runs on this machine, if it is one of this machine that is asked for."""
    from actors import ray_address

    told = False
    while True:
        try:
            ray_address.find(address)
            return
        except ray_address.NoneHere:
            if not told:
                _tell(console, "no Ray on this machine yet; waiting for one (Ctrl-C ends this)")
            told = True
            time.sleep(WAIT_S)


def await_run(console: Console, found: str, ask: Callable[[], Standings], is_there: Callable[[], bool]) -> None:
    """Return when there is a run.

    Raises:
        UserError: the Ray ended meanwhile.
    """
    told = False
    while not ask():
        if not is_there():
            raise UserError(f"the Ray at {found} is gone, and had no run")
        if not told:
            _tell(console, f"no run yet at {found}; waiting for one (Ctrl-C ends this)")
        told = True
        time.sleep(WATCH_S)


def plain(value: Any) -> Any:
    """A value in what JSON has: slots and other keys as their text, dataclasses by their fields."""
    if isinstance(value, Slot):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    return value


def show(console: Console, standings: Standings) -> None:
    """Every run once."""
    for run, status in standings.items():
        if status is None:
            _tell(console, f"{run}: does not answer; it may be reading what earlier runs wrote")
        else:
            report(console, run, status)


def follow(console: Console, ask: Callable[[], Standings]) -> None:
    """Every run until none is left; how far each was seen to get stays on the terminal."""
    shown: dict[str, View] = {}
    last: dict[str, Status] = {}
    with views(console) as open_view:
        while standings := ask():
            for run, status in standings.items():
                if status is not None:
                    last[run] = status
                    if run not in shown:
                        shown[run] = open_view(run)
                    shown[run].show(status)
            time.sleep(WATCH_S)
    for run, status in last.items():
        end = "finished" if status.left == 0 else "ended; so it was last seen, and its own terminal has the rest"
        _tell(console, f"{headline(run, status)}: {end}")


def _tell(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    interrupts.guarded(lambda: typer.run(main))
