"""Status of a run directory: `python -m sweeps.status RUN_DIR` reads files alone, and tells what they hold."""

import errno
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from filelock import FileLock
from rich.console import Console
from typer.testing import CliRunner, Result

from sweeps import run as run_command
from sweeps import status as command
from sweeps.command import Command
from sweeps.errors import SpecChanged
from sweeps.store.stored_run import StoredRun, read_stored_run
from tests.fakes import REGISTRY

SPEC = """
name = "mine"
[[sweep]]
name = "first"
benchmark = "noop"
iterations = 2
warmup = 0
factors = { device = ["cpu"], cpu_cores = [1], index = [0, 1, 2], fault = ["none", "raise"] }
[[sweep]]
name = "second"
benchmark = "noop"
iterations = 1
warmup = 0
factors = { device = ["cpu"], cpu_cores = [1] }
"""


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of seven tasks, of which three failed."""
    monkeypatch.setattr(run_command, "find_benchmarks", lambda: REGISTRY)
    (tmp_path / "mine.toml").write_text(SPEC)
    wanted = Command((str(tmp_path / "mine.toml"),), "inline", tmp_path / "runs")
    assert run_command.run(wanted, Console(file=io.StringIO())) == 1
    return tmp_path / "runs" / "mine"


def call(*arguments: object) -> Result:
    app = typer.Typer(add_completion=False)
    app.command()(command.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def edit_metadata(run_dir: Path, sweep: str, **keys: Any) -> None:
    path = run_dir / sweep / "_environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_progress_statuses_reasons_and_the_command_that_goes_on(run_dir: Path) -> None:
    edit_metadata(run_dir, "second", tasks=5)
    answer = call(run_dir)
    assert answer.exit_code == 0, answer.output
    lines = answer.stdout.splitlines()
    assert lines[0] == f"{run_dir}: 7 of 11 tasks are done; no run writes there now"
    assert lines[1].startswith("  first: 6 of 6 tasks are done: 3 ok, 3 error; last rows 20")
    assert lines[2] == "    error: a fault <b>on purpose</b> (3 tasks)"
    assert lines[3].startswith("  second: 1 of 5 tasks are done: 1 ok")
    assert lines[4] == "  missing tasks: second 4"
    command_line = f"cd {Path.cwd()} && python -m sweeps.run {run_dir.parents[1] / 'mine.toml'} --address inline"
    assert lines[5].startswith(f"  to continue: {command_line}")
    assert lines[6] == f"{lines[5].replace('to continue', 'to try failed tasks again')} --retry error"
    assert len(lines) == 7
    assert call(run_dir.parent).stdout == answer.stdout, "a directory of runs"


def test_a_finished_run_is_not_to_be_continued(run_dir: Path) -> None:
    shutil.rmtree(run_dir / "first")
    assert call(run_dir).stdout.splitlines()[0] == f"{run_dir}: 1 of 1 task is done; no run writes there now"
    assert "python -m" not in call(run_dir).stdout


def test_a_program_gets_the_same(run_dir: Path) -> None:
    (seen,) = json.loads(call(run_dir, "--json").stdout)["directories"]
    assert (seen["done"], seen["planned"], seen["is_written"]) == (7, 7, False)
    assert seen["retry"] == f"{seen['command']} --retry error"
    first = seen["sweeps"]["first"]
    assert first["statuses"] == {"ok": 3, "error": 3}
    assert first["reasons"] == {"error": {"a fault <b>on purpose</b>": 3}}
    assert (first["rows"], first["missing"], first["problems"]) == (12, 0, [])


def test_what_is_not_known_is_said(run_dir: Path) -> None:
    (run_dir / "first" / "part-000007.parquet").write_text("no Parquet")
    (run_dir / "second" / "_environment.json").unlink()
    answer = call(run_dir)
    assert answer.exit_code == 0
    assert f"warning: {run_dir / 'first' / 'part-000007.parquet'}: cannot be read" in answer.stdout
    assert f"warning: {run_dir / 'second' / '_environment.json'}: is missing" in answer.stdout
    assert "7 tasks are done; no file says how many were planned" in answer.stdout
    assert "second: 1 task is done; no file says how many were planned: 1 ok" in answer.stdout
    (seen,) = json.loads(call(run_dir, "--json").stdout)["directories"]
    assert (seen["planned"], seen["sweeps"]["second"]["missing"]) == (None, None)


def test_unavailable_tasks_are_still_to_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_command, "find_benchmarks", lambda: REGISTRY)
    (tmp_path / "mine.toml").write_text(SPEC.replace('device = ["cpu"]', 'device = ["cpu", "k80"]'))
    wanted = Command((str(tmp_path / "mine.toml"),), "inline", tmp_path / "runs")
    assert run_command.run(wanted, Console(file=io.StringIO())) == 1
    seen = read_stored_run(tmp_path / "runs" / "mine")
    assert (seen.done, seen.planned) == (7, 14)
    assert [sweep.missing for sweep in seen.sweeps] == [6, 1]


def test_a_directory_that_is_written_is_watched_until_it_is_not(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FileLock(run_dir / ".lock")
    looks: list[StoredRun] = []

    def read(directory: Path) -> StoredRun:
        looks.append(read_stored_run(directory))
        if len(looks) == 2:
            lock.release()
        return looks[-1]

    monkeypatch.setattr(command, "READ_S", 0.0)
    monkeypatch.setattr(command, "read_stored_run", read)
    lock.acquire()
    answer = call(run_dir, "--watch")
    assert [look.is_written for look in looks] == [True, True, False]
    heads = [line for line in answer.stdout.splitlines() if line.startswith(str(run_dir))]
    assert [head.rpartition("; ")[2] for head in heads] == ["a run writes there now", "no run writes there now"]


def test_a_copy_is_continued_where_it_lies(run_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(run_dir, tmp_path / "copy" / "mine")
    (seen,) = json.loads(call(tmp_path / "copy", "--json").stdout)["directories"]
    assert seen["command"].endswith(f" --out {tmp_path / 'copy'}")
    assert seen["retry"] == f"{seen['command']} --retry error"
    assert seen["first"] == []
    assert str(tmp_path / "runs") not in seen["command"]


@pytest.mark.parametrize("content", ['{"spec"', "[]", "null", '{"spec": 3}'])
def test_a_command_that_would_be_refused_is_not_the_first_thing_to_do(
    content: str, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run_dir / "second" / "_environment.json"
    path.write_text(content)
    with pytest.raises(SpecChanged, match="cannot be read"):
        run_command.run(Command((str(run_dir.parents[1] / "mine.toml"),), "inline", run_dir.parent), Console())
    lines = call(run_dir).stdout.splitlines()
    assert f"warning: {path}: cannot be read" in lines[0]
    mend = f"  before the next command: put {path} back, or move {path.parent} away to start afresh"
    assert lines[lines.index(mend) + 1].startswith("  to continue: cd ")
    shutil.rmtree(path.parent)
    assert run_command.run(Command((str(run_dir.parents[1] / "mine.toml"),), "inline", run_dir.parent), Console()) == 1
    assert "before the next command" not in call(run_dir).stdout


def test_the_files_of_one_spec_of_several_name_that_one_alone(run_dir: Path, tmp_path: Path) -> None:
    sources = [str(tmp_path / f"{name}.toml") for name in ("one", "two")]
    for source in sources:
        Path(source).write_text(SPEC.replace('"mine"', f'"{Path(source).stem}"'))
    run_command.run(Command(tuple(sources), "inline", tmp_path / "runs"), Console(file=io.StringIO()))
    for source, other in (sources, sources[::-1]):
        words = read_stored_run(tmp_path / "runs" / Path(source).stem).command.split()
        assert source in words
        assert other not in words


def test_a_lock_that_cannot_be_read_leaves_open_if_a_run_writes(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path.open

    def forbidden(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == ".lock":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return usual(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", forbidden)
    head = call(run_dir).stdout.splitlines()[0]
    assert head.endswith("; nobody can tell whether a run writes there now: its file .lock cannot be read or locked")
    (seen,) = json.loads(call(run_dir, "--json").stdout)["directories"]
    assert seen["is_written"] is None
    last = call(run_dir, "--watch").stdout.splitlines()[-1]
    assert last == f"--watch ends: a run is seen by its file .lock, which cannot be read or locked in {run_dir}"


def test_why_there_is_nothing_to_watch_is_said(run_dir: Path) -> None:
    last = call(run_dir, "--watch").stdout.splitlines()[-1]
    assert last.startswith("--watch ends: no run writes there; ")


def test_a_directory_without_a_run_is_a_mistake(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ((tmp_path / "gone",), "no such directory; give a run directory"),
        ((tmp_path / "empty",), "no run directory: give one"),
        ((run_dir / "first",), "this is one sweep of a run, give the directory above"),
        ((run_dir, "--address", "auto"), "are read without Ray; leave out --address, or RUN_DIR"),
        ((run_dir, "--watch", "--json"), "leave --watch out"),
    ):
        answer = call(*arguments)
        assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
        assert message in answer.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_directory_that_cannot_be_read_is_one_message(run_dir: Path) -> None:
    run_dir.chmod(0)
    answer = call(run_dir)
    run_dir.chmod(0o755)
    assert answer.exit_code == 2
    assert "cannot be read" in answer.stderr
