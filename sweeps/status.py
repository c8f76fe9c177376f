"""`python -m sweeps.status`: shows the runs of a Ray cluster, or what run directories hold, from any terminal."""

from sweeps.process import interrupts

if __name__ == "__main__":
    interrupts.quit_at_once()

from sweeps.process import import_order

if __name__ == "__main__":
    import_order.ours_first()

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from sweeps.errors import UserError
from sweeps.process import terminal
from sweeps.schedule.run_status import Status
from sweeps.store.stored_run import StoredRun, find_stored_runs, read_stored_run
from sweeps.task import Slot
from sweeps.view.messages import complain, say
from sweeps.view.progress import View, report, views
from sweeps.view.stored_runs import print_stored_run, stored_run_content
from sweeps.view.throughput import headline

EXIT_USER_ERROR: Final = 2
WATCH_S: Final = 0.5
WAIT_S: Final = 1.0
STOPPED: Final = "stopped: only this view has ended, no run"
READ_S: Final = 5.0
"""Time between two looks at the files of a run, which gets rows every few seconds."""
JSON_NAMES: Final = {"summary_counts": "remarks"}
"""Keys of --json that programs know by an older name than the field has now."""

RunStatuses = Mapping[str, Status | None]
"""Status of every run, by name; None: the run does not answer."""


def main(
    run_dirs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN_DIR", help="run directories, or directories of runs: what their files say, without Ray"
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="auto finds the Ray of this machine; or HOST:PORT", show_default="auto")
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="wait for a run, and go on until none is left; of RUN_DIR: while a run writes there"
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document, for programs")] = False,
) -> None:
    """Show every run of a Ray cluster: progress, a line for each worker, warnings. Or what is in run directories."""
    terminal.print_anything()
    console = Console()
    try:
        if as_json and watch:
            raise UserError("--json prints the runs once; leave --watch out, and give the command again")
        if run_dirs and address is not None:
            raise UserError(f"--address {address}: files of runs are read without Ray; leave out --address, or RUN_DIR")
        with interrupts.last_line(STOPPED):
            if run_dirs:
                _look_at_files(console, run_dirs, watch=watch, as_json=as_json)
            else:
                _look(console, address or "auto", watch=watch, as_json=as_json)
    except UserError as error:
        complain(str(error))
        raise typer.Exit(EXIT_USER_ERROR) from None


def _look_at_files(console: Console, directories: Sequence[Path], *, watch: bool, as_json: bool) -> None:
    """Print what run directories hold; with `watch`, again as it changes, until no run writes there."""
    paths = list(dict.fromkeys(path for directory in directories for path in find_stored_runs(directory)))
    shown: dict[Path, StoredRun] = {}
    while True:
        runs = [read_stored_run(path) for path in paths]
        if as_json:
            _print_json(console, {"directories": [stored_run_content(run) for run in runs]})
            return
        for run in runs:
            if shown.get(run.directory) != run:
                print_stored_run(console, run)
            shown[run.directory] = run
        if not watch:
            return
        if not any(run.is_written for run in runs):
            say(console, _end_of_watch(runs))
            return
        time.sleep(READ_S)


def _end_of_watch(runs: Sequence[StoredRun]) -> str:
    """Return why there is nothing to watch, or nothing any longer."""
    if unknown := [str(run.directory) for run in runs if run.is_written is None]:
        return f"--watch ends: a run is seen by its file .lock, which cannot be read or locked in {', '.join(unknown)}"
    return "--watch ends: no run writes there; to wait for the next run on this machine's Ray, leave RUN_DIR out"


def _print_json(console: Console, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, ensure_ascii=False)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _look(console: Console, address: str, *, watch: bool, as_json: bool) -> None:
    if address in ("local", "inline"):
        raise UserError(
            f"--address {address}: give auto or HOST:PORT, which a run prints when it starts; "
            "what runs inline is seen in its own terminal only, and in its files: give RUN_DIR"
        )
    if watch:
        await_ray(console, address)
    # Only here: a wrong command is reported before the seconds that Ray takes.
    from actors.ray_pool.cluster import connected, is_running
    from actors.ray_pool.run_statuses import run_statuses

    with connected(address) as found:
        if watch:
            await_run(console, found, run_statuses, is_running)
            follow(console, run_statuses)
        elif as_json:
            _print_json(console, {"address": found, "runs": plain(run_statuses())})
        elif statuses := run_statuses():
            show(console, statuses)
        else:
            say(console, f"no run there: the Ray at {found} has none")


def await_ray(console: Console, address: str) -> None:
    """Wait until a Ray runs on this machine, unless `address` names another one."""
    from actors.ray_pool.address import NoneHere, find

    told = False
    while True:
        try:
            find(address)
            return
        except NoneHere:
            if not told:
                say(console, "no Ray on this machine yet; waiting for one (Ctrl-C ends this)")
            told = True
            time.sleep(WAIT_S)


def await_run(console: Console, found: str, ask: Callable[[], RunStatuses], is_there: Callable[[], bool]) -> None:
    """Wait until the Ray has a run.

    Raises:
        UserError: the Ray ended meanwhile.
    """
    told = False
    while not ask():
        if not is_there():
            raise UserError(f"the Ray at {found} is gone, and had no run")
        if not told:
            say(console, f"no run yet at {found}; waiting for one (Ctrl-C ends this)")
        told = True
        time.sleep(WATCH_S)


def plain(value: Any) -> Any:
    """Convert a value to what JSON has: slots and other keys to their text, dataclasses to their fields."""
    if isinstance(value, Slot):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {
            JSON_NAMES.get(field.name, field.name): plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    return value


def show(console: Console, run_statuses: RunStatuses) -> None:
    """Print every run once."""
    for run, status in run_statuses.items():
        if status is None:
            say(console, f"{run}: does not answer; it may be reading what earlier runs wrote")
        else:
            report(console, run, status)


def follow(console: Console, ask: Callable[[], RunStatuses]) -> None:
    """Show every run until none is left; the last state of each stays on the terminal."""
    shown: dict[str, View] = {}
    last: dict[str, Status] = {}
    with views(console) as open_view:
        while run_statuses := ask():
            for run, status in run_statuses.items():
                if status is not None:
                    last[run] = status
                    if run not in shown:
                        shown[run] = open_view(run)
                    shown[run].show(status)
            time.sleep(WATCH_S)
    for run, status in last.items():
        end = "finished" if status.left == 0 else "ended; so it was last seen, and its own terminal has the rest"
        say(console, f"{headline(run, status)}: {end}")


if __name__ == "__main__":
    interrupts.guarded(lambda: typer.run(main))
