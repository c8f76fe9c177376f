"""The line that a stopped run prints asks for the same again."""

import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import sweeps.run
from sweeps.command import Command, expand_home, parse_policy
from sweeps.errors import UserError

APP = typer.Typer(add_completion=False)
APP.command()(sweeps.run.main)
OPTIONS = [
    "mine.toml",
    "--rehearse",
    *("--address", "inline"),
    *("--out", "some where"),
    *("--set", 's.factors.model=["builtin://tiny-base"]'),
    *("--isolation", "node"),
    *("--timeout-s", "90.5"),
    *("--grace-s", "5"),
]


def test_it_has_every_option_that_changes_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Command] = []
    monkeypatch.setattr(sweeps.run, "run", lambda command, console: seen.append(command) or 0)
    CliRunner().invoke(APP, OPTIONS)
    CliRunner().invoke(APP, shlex.split(seen[0].line())[3:])
    assert seen[0] == seen[1]
    assert seen[0].policy.isolation == "node"
    assert seen[0].rehearse


def test_what_was_not_asked_for_is_not_in_it() -> None:
    assert Command(("quickstart",), "local", Path("runs")).line() == "python -m sweeps.run quickstart"


def test_a_retry_of_oom_is_one_of_all_its_kinds() -> None:
    assert parse_policy("device", 1.0, ["oom", "error"], fresh=False).again.statuses == (
        "oom_gpu",
        "oom_host",
        "skipped_oom",
        "error",
    )
    with pytest.raises(UserError, match="--retry ok: choose one of"):
        parse_policy("device", 1.0, ["ok"], fresh=False)


def test_a_home_directory_is_expanded_where_the_shell_did_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home(Path("~/runs")) == tmp_path / "runs"
    with pytest.raises(UserError, match="write the directory from the root on"):
        expand_home(Path("~nobody-of-this-name/runs"))
