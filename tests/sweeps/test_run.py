"""The exit code of a run, the defaults that a cluster gives, and what --retry and another environment run again."""

import io
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from actors.devices.nodes import Gpu, Node
from actors.devices.offers import default_levels
from models.errors import ModelError
from scoring.errors import ScoringError
from sweeps import run as command
from sweeps.command import Command
from sweeps.errors import CoordinatorLost, SinkFailed, SweepsError, UserError
from sweeps.plan.machines import Machines
from sweeps.plan.spec import Defaults
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.store.finished import Again
from sweeps.task import Row, Task
from sweeps.view.ending import print_verdict
from tests.fakes import REGISTRY, Faulty, FaultyFactors

GPU = Gpu("GPU-a", "Tesla K80", 12 * 2**30, (3, 7))
SMALL, WIDE = Node("n1", "small", "a CPU", (0, 1)), Node("n2", "wide", "a CPU", tuple(range(64)))
BOX = Node("n3", "box", "a CPU", (0, 1, 2), (GPU,), environment_id="of the box")

SPEC = """
name = "{name}"
[[sweep]]
name = "s"
benchmark = "noop"
iterations = 2
warmup = 0
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
fault = ["{fault}"]
"""


def status(counts: dict[str, int], total: int = 0, failure: str | None = None, measured: int | None = None) -> Status:
    done = sum(counts.values())
    return Status(
        total=total or done,
        done=done,
        done_before=0,
        rows=done,
        counts=counts,
        loads=0,
        loads_naive=0,
        demand={},
        workers=(),
        failure=failure,
        warnings=(),
        measured=counts.get("ok", 0) if measured is None else measured,
    )


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (status({"ok": 3}), 0),
        (status({"ok": 1, "oom_gpu": 1, "oom_host": 1, "skipped_oom": 1, "unsupported": 1}), 0),
        (status({"ok": 3, "error": 1}), 1),
        (status({"ok": 3, "timeout": 1}), 1),
        (status({"ok": 3, "worker_lost": 1}), 1),
        (status({"ok": 3, "unavailable": 1}), 1),
        (status({"oom_gpu": 2, "unsupported": 1}), 1),
        (status({"ok": 3}, measured=0), 1),
        (status({"ok": 3}, total=4), 1),
        (status({"ok": 3}, failure="the disk is full"), 1),
    ],
)
def test_zero_is_a_run_without_failures_that_measured_something(seen: Status, code: int, tmp_path: Path) -> None:
    assert print_verdict(Console(file=io.StringIO()), seen, tmp_path) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("the spec is wrong"), 2),
        (ModelError("no such model"), 2),
        (ScoringError("no such corpus"), 2),
        (SweepsError("it went wrong"), 1),
        (SinkFailed("the disk is full"), 1),
        (CoordinatorLost("gone"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_code_says_who_has_to_mend_it(
    error: BaseException, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_command: Command, _console: Console) -> int:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "run", fail)
    app = typer.Typer(add_completion=False)
    app.command()(command.main)
    assert CliRunner().invoke(app, ["quickstart"]).exit_code == code


@pytest.mark.parametrize("names", [("good", "bad"), ("bad", "good")])
def test_of_several_specs_the_worst_exit_code_counts_also_when_nothing_is_left_to_run(
    names: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_benchmarks", lambda: REGISTRY)
    for name, fault in (("good", "none"), ("bad", "raise")):
        (tmp_path / f"{name}.toml").write_text(SPEC.format(name=name, fault=fault))
    wanted = Command(tuple(str(tmp_path / f"{name}.toml") for name in names), "inline", tmp_path / "runs")
    for _ in range(2):
        assert command.run(wanted, Console(file=io.StringIO())) == 1
    only_good = Command((str(tmp_path / "good.toml"),), "inline", tmp_path / "runs")
    assert command.run(only_good, Console(file=io.StringIO())) == 0


def test_a_fresh_run_is_refused_where_rows_are_before_anything_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_benchmarks", lambda: REGISTRY)
    (tmp_path / "good.toml").write_text(SPEC.format(name="good", fault="none"))
    out = tmp_path / "runs"
    fresh = Command((str(tmp_path / "good.toml"),), "inline", out, policy=Policy(fresh=True))
    assert command.run(fresh, Console(file=io.StringIO())) == 0
    for dry_run in (True, False):
        again = Command(fresh.specs, "inline", out, policy=fresh.policy, dry_run=dry_run)
        with pytest.raises(UserError, match="--fresh was asked for"):
            command.run(again, Console(file=io.StringIO()))


def test_a_rehearsal_has_a_directory_of_its_own_and_says_what_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_benchmarks", lambda: REGISTRY)
    spec = SPEC.format(name="mine", fault="none").replace('["cpu"]', '["k80", "gtx-1070"]')
    (tmp_path / "mine.toml").write_text(spec)
    said = io.StringIO()
    wanted = Command((str(tmp_path / "mine.toml"),), "inline", tmp_path / "runs", rehearse=True)
    assert command.run(wanted, Console(file=said, width=200)) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["mine-rehearsal"]
    assert 's: device is ["cpu"] in place of 2 levels' in said.getvalue()


class _Interrupting(Faulty):
    """While it measures, the user presses Ctrl-C, so many times."""

    def __init__(self, times: int) -> None:
        self._times = times

    def rows(self, held: str, task: Task, factors: FaultyFactors) -> Iterator[Row]:
        for _ in range(self._times):
            signal.raise_signal(signal.SIGINT)
        return super().rows(held, task, factors)


@pytest.fixture
def listening() -> Iterator[None]:
    """Ctrl-C is heard also where whoever started the tests has them ignore it, as shells do behind `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(("times", "done"), [(1, 1), (2, 0)])
def test_asked_to_stop_it_ends_with_130_and_the_line_to_continue(
    times: int, done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_benchmarks", lambda: {"noop": _Interrupting(times)})
    spec, text = tmp_path / "good.toml", io.StringIO()
    spec.write_text(SPEC.format(name="good", fault="none") + "index = [0, 1, 2]\n")
    asked = Command((str(spec),), "inline", tmp_path / "runs")
    assert command.run(asked, Console(file=text, width=500)) == 130
    assert f"stopped: {done} of 3 tasks are on disk" in text.getvalue()
    assert f"to continue:\n  {asked.line()}\n" in text.getvalue()
    monkeypatch.setattr(command, "find_benchmarks", lambda: REGISTRY)
    assert command.run(asked, Console(file=text)) == 0


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([WIDE], Defaults(device="cpu", cpu_cores=4)),
        ([WIDE, SMALL], Defaults(device="cpu", cpu_cores=2)),
        ([SMALL, WIDE, BOX], Defaults(device="gpu", cpu_cores=3)),
        ([Node("n", "head", "a CPU", ()), WIDE], Defaults(device="cpu", cpu_cores=4)),
        ([], Defaults(device="cpu", cpu_cores=1)),
    ],
)
def test_the_default_slot_is_a_gpu_where_there_is_one_and_fits_the_smallest_node_that_has_it(
    nodes: list[Node], expected: Defaults
) -> None:
    assert default_levels(nodes) == expected


@pytest.mark.parametrize(
    ("machines", "environments"),
    [(Machines(), {"of the box"}), (Machines("machines.toml", {"k80": "/opt/kepler/bin/python"}), set())],
)
def test_environments_are_known_where_all_workers_use_one_interpreter(
    machines: Machines, environments: set[str]
) -> None:
    asked = Command(("mine.toml",), "auto", Path("runs"), policy=Policy(again=Again(("error",))), machines=machines)
    again = command._again([BOX, WIDE], asked)
    assert again == Again(("error",), frozenset(environments))


def test_the_command_line_reaches_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "run", lambda asked, _console: seen.append(asked) or 0)
    app = typer.Typer(add_completion=False)
    app.command()(command.main)
    options = ["a.toml", "--retry", "oom", "--retry", "error", "--fresh", "--timeout-s", "5", "--set", "s.seed=1"]
    assert CliRunner().invoke(app, [*options, "--set", "s.seed=2", "--dry-run"]).exit_code == 0
    (asked,) = seen
    assert asked.policy.again.statuses == ("oom_gpu", "oom_host", "skipped_oom", "error")
    assert (asked.policy.fresh, asked.policy.timeout_s, asked.dry_run) == (True, 5.0, True)
    assert asked.overrides == ("s.seed=1", "s.seed=2")
