"""Benchmarks of installed packages: found by name, and refused with the package's name and what is missing."""

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from actors.benchmarks import BENCHMARKS, find_benchmarks
from sweeps.command import Command
from sweeps.errors import UserError
from sweeps.plan.declaration import unusable_in
from sweeps.run import run
from sweeps.view.explain import print_explanation
from tests.packages import install

GOOD = """
import pyarrow as pa
from actors.benchmarks.noop import Noop
from sweeps.schema import Columns

class Good(Noop):
    columns = Columns(factors=Noop.columns.factors, metrics={"wait_time_s": pa.float64()}, headlines=("wait_time_s",))

instance = Good()
"""


def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, **points: str) -> str:
    """Message for a package with that source and those entry points."""
    monkeypatch.syspath_prepend(install(tmp_path, "some-package", module, source, points))
    benchmarks = find_benchmarks()
    (name, value), *_ = points.items()
    assert list(benchmarks) == list(BENCHMARKS), "the others can be used"
    (message,) = unusable_in(benchmarks).values()
    assert f"entry point '{name} = {value}' of package 'some-package'" in message
    return message


def test_without_entry_points_there_are_the_built_in_ones() -> None:
    assert find_benchmarks() == BENCHMARKS


def test_a_class_and_an_instance_are_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"by_class": "ep_good:Good", "by_instance": "ep_good:instance"}
    monkeypatch.syspath_prepend(install(tmp_path, "some-package", "ep_good", GOOD, points))
    benchmarks = find_benchmarks()
    assert list(benchmarks) == [*BENCHMARKS, "by_class", "by_instance"]
    assert type(benchmarks["by_class"]) is type(benchmarks["by_instance"])
    assert benchmarks["by_class"].columns.headlines == ("wait_time_s",)


def test_the_name_of_a_built_in_benchmark_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"noop": "ep_taken:Good"}
    monkeypatch.syspath_prepend(install(tmp_path, "some-package", "ep_taken", GOOD, points))
    assert find_benchmarks() == BENCHMARKS
    (tmp_path / "noop.toml").write_text('name = "n"\n[[sweep]]\nname = "s"\nbenchmark = "noop"\n')
    said = io.StringIO()
    assert run(Command((str(tmp_path / "noop.toml"),), "inline", tmp_path / "runs"), Console(file=said, width=80)) == 0
    (line,) = (line for line in said.getvalue().splitlines() if "warning" in line)
    assert "entry point 'noop = ep_taken:Good' of package 'some-package': the name 'noop' means the built-in" in line
    print_explanation(Console(file=said), "noop", find_benchmarks())
    assert "ep_taken" not in sys.modules, "what is not used is not imported"


def test_two_packages_cannot_share_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "a", "first", "ep_first", GOOD, {"mine": "ep_first:Good"}))
    monkeypatch.syspath_prepend(install(tmp_path / "b", "second", "ep_second", GOOD, {"mine": "ep_second:Good"}))
    benchmarks = find_benchmarks()
    assert benchmarks == BENCHMARKS
    assert re.search(
        r"'mine = ep_second:Good' of package 'second'.* is taken by package 'first'", unusable_in(benchmarks)["mine"]
    )


@pytest.mark.parametrize("raised", ["SystemExit('no licence')", "GeneratorExit('no licence')"])
def test_only_the_run_that_needs_a_broken_package_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: str
) -> None:
    points = {"mine": "ep_exits:Good", "yours": "ep_exits:Good"}
    monkeypatch.syspath_prepend(install(tmp_path, "some-package", "ep_exits", f"raise {raised}", points))
    kind = raised.partition("(")[0]
    text = 'name = "n"\n[[sweep]]\nname = "s"\nbenchmark = "{}"\n'
    (tmp_path / "noop.toml").write_text(text.format("noop"))
    (tmp_path / "mine.toml").write_text(text.format("mine"))
    said = io.StringIO()
    wanted = Command((str(tmp_path / "noop.toml"),), "inline", tmp_path / "runs", dry_run=True)
    assert run(wanted, Console(file=said, width=80)) == 0
    (line,) = (line for line in said.getvalue().splitlines() if "warning" in line)
    reasons = [
        f"entry point '{name} = ep_exits:Good' of package 'some-package': cannot be imported ({kind}: no licence)"
        for name in points
    ]
    assert line.startswith("warning: benchmarks of installed packages cannot be used, and this run needs none: ")
    assert all(reason in line for reason in reasons)
    with pytest.raises(UserError, match=r"mine.toml: sweep 's', benchmark: 'mine' cannot be used: entry point 'mine"):
        run(replace(wanted, specs=(str(tmp_path / "mine.toml"),)), Console(file=said))
    with pytest.raises(UserError, match=r"--explain yours: cannot be used: entry point 'yours"):
        print_explanation(Console(file=said), "yours", find_benchmarks())


@pytest.mark.parametrize(
    ("module", "source", "value", "reason"),
    [
        ("ep_no_module", "import no_such_module_of_anybody", ":Good", "ModuleNotFoundError: No module named 'no_such"),
        ("ep_no_object", GOOD, ":Bad", "AttributeError: module 'ep_no_object' has no attribute 'Bad'"),
        ("ep_no_syntax", "class", ":Good", "SyntaxError"),
        ("ep_columns", GOOD.replace('headlines=("wait', 'headlines=("weight'), ":Good", "ValueError: headlines"),
    ],
)
def test_an_entry_point_that_does_not_import_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, value: str, reason: str
) -> None:
    message = found(tmp_path, monkeypatch, module, source, mine=module + value)
    assert f"cannot be imported ({reason}" in message
    assert message.endswith("mend or uninstall the package")


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("ep_function", "def Good(): ...", "it lacks columns, factors, paths, timed, resource_kind, load_factors"),
        ("ep_no_rows", GOOD + "\ndel Noop.rows", "it lacks rows;"),
        ("ep_no_method", GOOD + "\nGood.rows = 3", "rows is no method"),
        ("ep_dict", GOOD + "\nGood.columns = {}", "columns is no Columns of sweeps.schema, but {}"),
        ("ep_factors", GOOD + "\nGood.factors = dict", "factors is no subclass of sweeps.plan.declaration.Factors"),
        ("ep_homeless", GOOD + "\nGood.columns = Columns()", "columns.factors lacks index, wait_s, which its factors"),
        (
            "ep_unknown",
            GOOD + "\nGood.columns = Columns(factors={**Noop.columns.factors, 'size': pa.int64()})",
            "columns.factors has size, which its factors lack",
        ),
        (
            "ep_load",
            GOOD + "\nGood.load_factors = ('model',)",
            "load_factors or memory_grows_with names model, which its factors lack",
        ),
    ],
)
def test_what_a_benchmark_lacks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, reason: str
) -> None:
    from actors.benchmarks.noop import Noop

    monkeypatch.setattr(Noop, "rows", Noop.rows)  # put back what a source deletes
    message = found(tmp_path, monkeypatch, module, source, mine=f"{module}:Good")
    assert f"is no benchmark: {reason}" in message
    assert message.endswith("docs/extending.md has a complete example")


def test_a_package_that_is_there_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "old", "some-package", "ep_old", GOOD, {"old": "ep_old:Good"}))
    monkeypatch.syspath_prepend(install(tmp_path / "new", "some-package", "ep_new", GOOD, {"new": "ep_new:Good"}))
    assert list(find_benchmarks()) == [*BENCHMARKS, "new"]


@pytest.mark.parametrize("pythonpath", ["{}", ".", "/nowhere:"])
def test_what_lies_in_the_working_directory_is_not_installed(
    pythonpath: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = install(tmp_path, "some-package", "ep_here", GOOD, {"here": "ep_here:Good"})
    monkeypatch.chdir(directory)
    monkeypatch.delitem(sys.modules, "ep_here", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path, str(directory), ""])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    assert find_benchmarks() == BENCHMARKS
    monkeypatch.delenv("PYTHONPATH")
    assert find_benchmarks() == BENCHMARKS
    assert "ep_here" not in sys.modules
    monkeypatch.setenv("PYTHONPATH", pythonpath.format(directory))
    assert list(find_benchmarks()) == [*BENCHMARKS, "here"], "where the user says so"
