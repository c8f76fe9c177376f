"""`python -m sweeps.status`: runs seen from another terminal."""

import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from sweeps import status as command
from sweeps.errors import UserError
from sweeps.schedule.run_status import Status, WorkerStatus
from sweeps.task import Slot
from tests.live_run import PATIENCE_S, WAITS, LiveRun, eventually, fresh_environment

WORKER = WorkerStatus("cpu-0", Slot("cpu", 0, 1), "AMD EPYC", "builtin://tiny-base", "generation x=1", 3.0)
STATUS = Status(
    total=40,
    done=10,
    done_before=4,
    rows=30,
    counts={"ok": 8, "error": 2},
    loads=3,
    loads_naive=6,
    demand={},
    workers=(WORKER, replace(WORKER, worker_id="cpu-1", running="", model="", running_s=0.0)),
    failure=None,
    warnings=("worker cpu-9 is gone: killed",),
    elapsed_s=60.0,
)


def terminal(*, real: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=real, width=140), text


def test_every_run_with_a_line_for_each_worker() -> None:
    out, text = terminal(real=False)
    command.show(out, {"mine 01": STATUS, "yours 02": None})
    assert text.getvalue().splitlines() == [
        "warning: worker cpu-9 is gone: killed",
        "mine 01: 10/40 tasks, 30 rows, 6.0 tasks/min, about 5 min 0 s left, 2 failed",
        "  cpu-0  AMD EPYC  builtin://tiny-base  generation x=1  3 s",
        "  cpu-1  AMD EPYC  starting or waiting",
        "yours 02: does not answer; it may be reading what earlier runs wrote",
    ]


def test_a_bar_on_a_terminal() -> None:
    out, text = terminal(real=True)
    command.show(out, {"mine 01": STATUS})
    for part in ("mine 01", "━", "10/40", "2 failed", "cpu-0", "AMD EPYC", "builtin://tiny-base", "cpu-1"):
        assert part in text.getvalue()


@pytest.mark.parametrize("real", [False, True])
def test_runs_are_followed_until_none_is_left(real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "WATCH_S", 0.0)
    other = replace(STATUS, warnings=(), total=7, done=7)
    answers: list[command.RunStatuses] = [
        {"mine": STATUS},
        {"mine": None, "yours": other},
        {"mine": replace(STATUS, done=20)},
        {},
    ]
    out, text = terminal(real=real)
    command.follow(out, lambda: answers.pop(0))
    assert not answers
    *_, mine, yours = text.getvalue().splitlines()
    seen = "mine: 20/40 tasks, 30 rows, 16.0 tasks/min, about 1 min 15 s left, 2 failed"
    assert mine.endswith(f"{seen}: ended; so it was last seen, and its own terminal has the rest")
    assert yours.startswith("yours: 7/7 tasks")
    assert text.getvalue().count("warning: worker cpu-9 is gone: killed") == 1


def test_a_run_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "WATCH_S", 0.0)
    answers: list[command.RunStatuses] = [{}, {}, {"mine": None}]
    out, text = terminal(real=False)
    command.await_run(out, "head:6379", lambda: answers.pop(0), lambda: True)
    assert not answers
    assert text.getvalue() == "no run yet at head:6379; waiting for one (Ctrl-C ends this)\n"


def test_waiting_ends_with_the_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "WATCH_S", 0.0)
    there = [True, False]
    out, _ = terminal(real=False)
    with pytest.raises(UserError, match="the Ray at head:6379 is gone"):
        command.await_run(out, "head:6379", dict, lambda: there.pop(0))


def test_a_ray_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.ray_pool import address

    monkeypatch.setattr(command, "WAIT_S", 0.0)
    answers = [address.NoneHere("none"), address.NoneHere("none"), None]

    def find(address: str) -> None:
        assert address == "auto"
        if answer := answers.pop(0):
            raise answer

    monkeypatch.setattr(address, "find", find)
    out, text = terminal(real=False)
    command.await_ray(out, "auto")
    assert not answers
    assert text.getvalue() == "no Ray on this machine yet; waiting for one (Ctrl-C ends this)\n"


def test_what_a_run_waits_for_is_told() -> None:
    waits = "waiting for 2 cores held by yours 02 (2 cores)"
    out, text = terminal(real=False)
    command.show(out, {"mine 01": replace(STATUS, workers=(), warnings=(), done=4, waiting_for=waits)})
    assert waits in text.getvalue()


def status(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-W", "error", "-m", "sweeps.status", *arguments]
    return subprocess.run(
        words, env=fresh_environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_a_program_gets_every_field_by_name() -> None:
    run_statuses = {"mine 01": replace(STATUS, demand={WORKER.slot: 3}), "yours 02": None}
    seen = json.loads(json.dumps(command.plain(run_statuses)))
    assert seen["yours 02"] is None
    fields = {field.name for field in dataclasses.fields(Status)} - {"summary_counts"} | {"remarks"}
    assert seen["mine 01"].keys() == fields, "the keys that programs know"
    assert seen["mine 01"]["demand"] == {"cpu, 1 core": 3}
    assert seen["mine 01"]["workers"][0]["device"] == "AMD EPYC"


WRONG = {
    "nobody there": (["--address", "127.0.0.1:1"], "no Ray to use there (nobody listens there"),
    "nobody there, watched": (["--watch", "--address", "127.0.0.1:1"], "no Ray to use there (nobody listens there"),
    "not an address": (["--address", "nowhere"], "neither"),
    "both": (["--watch", "--json"], "leave --watch out"),
    "inline": (["--address", "inline"], "seen in its own terminal only"),
    "no such option": (["--nope"], "No such option"),
}


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.slow
def test_a_mistake_is_one_message_and_exit_code_2(mistake: str) -> None:
    arguments, expected = WRONG[mistake]
    answer = status(*arguments)
    assert answer.returncode == 2, answer.stdout
    assert expected in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_cluster_without_a_run() -> None:
    from actors.ray_pool.cluster import current_address

    answer = status("--address", current_address())
    assert answer.returncode == 0, answer.stderr
    assert "no run there" in answer.stdout
    answer = status("--json", "--address", current_address())
    assert json.loads(answer.stdout) == {"address": current_address(), "runs": {}}, answer.stderr


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveRun]:
    run = LiveRun(tmp_path_factory.mktemp("live"), WAITS.format(index=list(range(20_000))))
    yield run
    run.stop()


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_on_a_ray_of_its_own_is_seen_from_outside_to_its_end(live: LiveRun) -> None:
    address = live.address()
    seen = eventually(lambda: _seen(address), "a task that runs")
    assert "/20,000 tasks" in seen
    assert "live 01000000: " in seen
    watch = subprocess.Popen(
        [sys.executable, "-m", "sweeps.status", "--watch", "--address", address],
        env=fresh_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    assert "waits index=" in watch.stdout.readline()
    assert live.stop() == 130, "watching does not disturb it"
    rest, errors = watch.communicate(timeout=PATIENCE_S)
    assert watch.returncode == 0, errors
    assert rest.splitlines()[-1].endswith(": ended; so it was last seen, and its own terminal has the rest")
    assert status("--address", address).returncode == 2


def _seen(address: str) -> str | None:
    answer = status("--address", address)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout if "  waits index=" in answer.stdout else None
