"""Commands that files name, made fit for the directory where the files lie now."""

import shlex
from pathlib import Path

import pytest

from sweeps.stored_command import StoredCommand, command_for
from sweeps.task_status import retry_command


def line_in(started_in: Path, *options: str) -> str:
    return f"cd {shlex.quote(str(started_in))} && {shlex.join(['python', '-m', 'sweeps.run', 'a b.toml', *options])}"


def run_in(*parts: str | Path) -> Path:
    path = Path(*parts)
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize("options", [[], ["--out", "deep/er"], ["--set", "s.x=1", "--out", "/ROOT/deep"]])
def test_a_directory_that_stayed_where_it_was_keeps_its_command(options: list[str], tmp_path: Path) -> None:
    options = [option.replace("/ROOT", str(tmp_path)) for option in options]
    run = run_in(tmp_path, options[-1] if options else "runs", "mine")
    line = line_in(tmp_path, *options)
    assert command_for(line, "mine", run) == StoredCommand(line)


def test_the_command_of_a_copy_writes_to_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_in(tmp_path, "runs", "mine")
    out = ["--out", str(run_in(tmp_path, "a copy", "mine").parent)]
    monkeypatch.chdir(tmp_path)
    for before, after in (
        ([], out),
        (["--rehearse"], ["--rehearse", *out]),
        (["--out", "deep/er", "--rehearse"], [*out, "--rehearse"]),
    ):
        found = command_for(line_in(tmp_path, *before), "mine", Path("a copy/mine"))
        assert found == StoredCommand(line_in(tmp_path, *after))


def test_a_copy_with_another_name_must_get_the_name_of_the_spec(tmp_path: Path) -> None:
    run = run_in(tmp_path, "runs", "mine-2")
    found = command_for(line_in(tmp_path), "mine", run)
    assert found.line == line_in(tmp_path, "--out", str(tmp_path / "runs"))
    assert found.first == (f"{run} must be named mine, as the spec is; rename it, or move it to where no mine lies",)


def test_what_came_from_another_machine_is_not_sent_to_a_directory_that_is_not_here(tmp_path: Path) -> None:
    run = run_in(tmp_path, "mine")
    found = command_for(line_in(tmp_path / "gone"), "mine", run)
    assert found.line == shlex.join(["python", "-m", "sweeps.run", "a b.toml", "--out", str(tmp_path)])
    (sentence,) = found.first
    assert sentence.startswith(f"the run was started in {tmp_path / 'gone'}, which is not here")


def test_files_that_stayed_are_not_continued_from_a_directory_that_is_gone(tmp_path: Path) -> None:
    run = run_in(tmp_path, "rows", "mine")
    found = command_for(line_in(tmp_path / "gone", "--out", str(run.parent)), "mine", run)
    assert found.line == shlex.join(["python", "-m", "sweeps.run", "a b.toml", "--out", str(run.parent)])
    assert found.first


@pytest.mark.parametrize("line", ["", "make run", "cd 'half", "cd a"])
def test_a_line_that_no_run_wrote_stays_as_it_is(line: str, tmp_path: Path) -> None:
    assert command_for(line, "mine", tmp_path) == StoredCommand(line)


@pytest.mark.parametrize(
    ("statuses", "options"),
    [
        ({"ok", "skipped_oom"}, "--retry oom"),
        ({"oom_gpu", "oom_host", "skipped_oom"}, "--retry oom"),
        ({"timeout", "oom_host", "error"}, "--retry error --retry timeout --retry oom"),
    ],
)
def test_what_was_skipped_for_want_of_memory_is_tried_with_what_ran_out(statuses: set[str], options: str) -> None:
    assert retry_command("run", statuses) == f"run {options}"


def test_there_is_nothing_to_try_again() -> None:
    assert retry_command("run", {"ok", "unsupported", "unavailable"}) == ""
    assert retry_command("", {"error"}) == ""
