"""`--explain`: all that the models say, at any width, in about a second; a wrong name is one message."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import typer
from pydantic import Field
from rich.console import Console
from typer.testing import CliRunner

import sweeps.run
from actors.benchmarks import BENCHMARKS
from actors.benchmarks.noop import Noop
from sweeps.errors import UserError
from sweeps.plan.declaration import Factors, Registry
from sweeps.plan.spec import Figure, Spec, Sweep
from sweeps.view.explain import print_explanation
from sweeps.view.fields import fields_of, summary_of

APP = typer.Typer()
APP.command()(sweeps.run.main)
WIDTHS = (60, 120)


def explained(name: str, width: int, registry: Registry = BENCHMARKS) -> str:
    out = io.StringIO()
    print_explanation(Console(file=out, width=width), name, registry)
    return out.getvalue()


def plain(text: str) -> str:
    """The words alone: wherever lines are broken, and whatever is code."""
    return " ".join(text.replace("`", "").split())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_benchmark_is_explained_in_full(name: str, width: int) -> None:
    text = explained(name, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for field in fields_of(BENCHMARKS[name].factors):
        assert re.search(rf"^{field.name}$", text, re.MULTILINE), field.name
        for words in (field.values, field.default, field.meaning):
            assert plain(words) in plain(text)
    columns = BENCHMARKS[name].columns
    assert plain(text).startswith(f"{name}: {plain(summary_of(name, BENCHMARKS))}")
    assert plain(text).endswith(
        f"Metrics; docs/measurements.md says what each means {', '.join(columns.metrics) or 'none'}"
    )
    assert (", ".join(columns.identity) or name) in plain(text)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_spec_is_explained_in_full(width: int) -> None:
    text = explained("spec", width)
    assert max(map(len, text.splitlines())) <= width
    for model in (Spec, Sweep, Figure):
        for field in fields_of(model):
            assert f"\n{field.name}\n    {field.values}; " in text
            assert plain(field.meaning) in plain(text)
    for line in ("text; must be given", "table; may be left out", "whole number, 1 to 1,000,000; default: 3"):
        assert f"\n    {line}\n" in text
    assert all(f"\n{name}\n" in text for name in BENCHMARKS)


@pytest.mark.parametrize("width", [1, 20])
def test_a_narrow_terminal_loses_no_letter(width: int) -> None:
    letters = "".join(explained("generation", width).split())
    assert letters == "".join(explained("generation", 120).split())


def test_a_benchmark_of_another_package_is_explained_as_printable_text() -> None:
    class OddFactors(Factors):
        color: str = Field(default="\x1b[31m", description="ink [bold]of[/bold] \x1b[31mrows")

    class Odd(Noop):
        """Writes."""

        factors: ClassVar[type[Factors]] = OddFactors

    text = explained("odd", 80, {"odd": Odd()})
    assert text.startswith("odd: Writes\n")
    assert "ink [bold]of[/bold] \\x1b[31mrows" in text
    assert "\x1b" not in text
    assert f"Metrics; {__name__} says what each means" in plain(text)


def test_a_wrong_name_lists_the_choices() -> None:
    with pytest.raises(UserError) as caught:
        explained("logit", 80)
    assert str(caught.value) == (
        "--explain logit: unknown (did you mean 'logits'?); choose one of spec, " + ", ".join(sorted(BENCHMARKS))
    )
    answer = CliRunner().invoke(APP, ["--explain", "zzz"])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: --explain zzz: unknown; choose one of spec, ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mine.toml"], "spec"),
        (["--dry-run"], "--dry-run"),
        (["--address", "local", "--set", "s.seed=1"], "--address, --set"),
        (["quickstart", "--fresh", "--retry", "oom"], "spec, --retry, --fresh"),
    ],
)
def test_specs_and_other_options_beside_it_are_refused(arguments: list[str], named: str) -> None:
    answer = CliRunner().invoke(APP, ["--explain", "noop", *arguments])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr == f"error: --explain stands alone, because it runs nothing: leave out {named}\n"


def test_the_command_explains_without_what_takes_long_to_import_and_leaves_nothing_behind(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-X", "importtime", "-m", "sweeps.run", "--explain", "generation"],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "60"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (0, explained("generation", 60))
    imported = set(re.findall(r"\| +(\w+)$", answer.stderr, re.MULTILINE))
    assert "pydantic" in imported
    assert not imported & {"torch", "ray", "transformers", "datasets", "bitsandbytes", "pandas"}
    assert list(tmp_path.iterdir()) == []
