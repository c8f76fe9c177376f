"""Any name in any column, any damage to any file: a page, or one message."""

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analysis import assembly
from analysis.cell_averages import average
from analysis.failures import failures
from analysis.figure_spec import choose_figure
from analysis.load import read_run
from analysis.report import write_report
from analysis.sections import charts
from sweeps.errors import UserError
from sweeps.schema import COLUMNS

pytestmark = pytest.mark.fuzz

TEXT_COLUMNS = (
    "model",
    "dataset",
    "generator",
    "author",
    "record_id",
    "error_type",
    "error_message",
    "host",
    "device_name",
    "revision",
    "status",
    "cell_id",
    "environment_id",
    "observer",
    "null_reason",
)
NUMBER_COLUMNS = ("score", "log_ppl", "duration_s")
NAMES = st.text(max_size=30) | st.sampled_from(
    ["\x00", "\x1b[2J", "\u202e", "<script>", "$x_1$", "新", "e\u0301" * 50, "x" * 5_000]
)
NUMBERS = st.none() | st.floats() | st.integers(0, 5).map(float)
FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures cost half a second each; what they are made of is tried all the same."""
    monkeypatch.setattr(assembly, "drawn", lambda sweep, figure_spec: ([], []))
    monkeypatch.setattr(charts, "draw", lambda *arguments: ())


def page_of(run_dir: Path) -> str:
    """The page, which must be whole and UTF-8, or the one message why there is none."""
    try:
        page = write_report(run_dir).read_bytes().decode()
    except UserError as error:
        assert "\n" not in str(error).replace(str(run_dir), "")
        return ""
    assert page.rstrip().endswith("</html>")
    assert page.count("<script") == 1
    assert "This section could not be made" not in page
    assert not any(ord(character) < 32 and character not in "\n\t" for character in page)
    return page


@st.composite
def odd_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to six rows of scores with any names and numbers."""
    rows = []
    for index in range(draw(st.integers(0, 6))):
        names = draw(st.dictionaries(st.sampled_from(TEXT_COLUMNS), st.none() | NAMES, max_size=5))
        numbers = draw(st.dictionaries(st.sampled_from(NUMBER_COLUMNS), NUMBERS, max_size=3))
        rows.append({"iteration": index} | names | numbers)
    return rows


@FIXTURES
@given(odd=odd_rows())
@pytest.mark.slow
def test_any_names_and_numbers(
    tmp_path_factory: pytest.TempPathFactory, write: Any, row: Any, undrawn: None, odd: list[dict[str, Any]]
) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    base = {"benchmark": "binoculars", "author": "human", "score": 1.0}
    write(run_dir, [row(index, **base) | columns for index, columns in enumerate(odd)], benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    averages = average(sweep)
    assert averages.cells.empty or averages.cells["n"].max() <= len(odd)
    assert failures(sweep)["rows"].sum() == len(sweep.rows) - len(sweep.ok)
    choose_figure(averages, {"x": "model"})
    assert page_of(run_dir)


STUDIED = ("model_loading", "generation", "decoding_strategy", "logits", "encoding")
LEVELS = {
    "model": NAMES,
    "device": NAMES | st.just("gpu x3"),
    "device_map": st.sampled_from(["single", "auto"]),
    "device_class": st.sampled_from(["cpu", "gtx-1070"]),
    "quantization": st.sampled_from(["none", "4-bit", "8-bit"]),
    "source": NAMES,
    "cpu_cores": st.integers(0, 64),
    "max_new_tokens": st.integers(0, 300),
    "input_words": st.integers(0, 300),
    "status": st.sampled_from(["ok", "oom_gpu", "error"]),
}
MEASURED = [name for benchmark in STUDIED for name in COLUMNS[benchmark].headlines]


@st.composite
def odd_measurements(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to eight rows of a sweep of the study with any levels and measurements."""
    rows = []
    for index in range(draw(st.integers(0, 8))):
        factors = draw(st.fixed_dictionaries({}, optional={k: st.none() | v for k, v in LEVELS.items()}))
        whole = st.integers(-5, 2**40)
        values = draw(st.lists(st.none() | whole | st.floats(allow_nan=False), min_size=4, max_size=4))
        kinds = {name: kind for benchmark in STUDIED for name, kind in COLUMNS[benchmark].metrics.items()}
        numbers = {
            name: int(min(max(value, -1e9), 1e9)) if value is not None and str(kinds[name]) != "double" else value
            for name, value in zip(MEASURED, itertools.cycle(values), strict=False)
        }
        rows.append({"iteration": index} | numbers | factors)
    return rows


@FIXTURES
@given(benchmark=st.sampled_from(STUDIED), odd=odd_measurements())
@pytest.mark.slow
def test_any_levels_and_measurements_in_the_sections_of_the_study(
    tmp_path_factory: pytest.TempPathFactory,
    write: Any,
    row: Any,
    undrawn: None,
    benchmark: str,
    odd: list[dict[str, Any]],
) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    rows = [row(index, benchmark=benchmark) | columns for index, columns in enumerate(odd)]
    write(run_dir, rows, benchmark, benchmark=benchmark)
    assert page_of(run_dir)


@settings(parent=FIXTURES, max_examples=settings.default.max_examples // 20)
@given(names=st.lists(NAMES, min_size=2, max_size=4, unique=True))
@example(names=["\x00\x1b[2J\u202e", "新$x_1$<script>", "_" * 300])
def test_any_names_in_a_drawn_page(
    tmp_path_factory: pytest.TempPathFactory, write: Any, cell: Any, names: list[str]
) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    write(run_dir, [row for name in names for row in cell([1.0, 2.0], model=name, host=names[0])])
    page = page_of(run_dir)
    assert "could not be drawn" not in page
    assert len(list((run_dir / "report" / "figures").glob("generation-2.7-*"))) == 2


@st.composite
def damages(draw: st.DrawFn) -> Any:
    """A change to the bytes of a file."""
    kind = draw(st.sampled_from(["cut", "flip", "replace", "append", "folder", "gone", "other"]))
    place, noise = draw(st.floats(0, 1)), draw(st.binary(min_size=1, max_size=40))

    def spoil(path: Path) -> None:
        content = path.read_bytes()
        at = int(place * (len(content) - 1))
        path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "other":
            shutil.copy(path.parent / "kept", path)
        elif kind != "gone":
            spoiled = {
                "cut": content[:at],
                "flip": content[:at] + bytes([content[at] ^ noise[0]]) + content[at + 1 :],
                "replace": content[:at] + noise + content[at + len(noise) :],
                "append": content + noise,
            }
            path.write_bytes(spoiled[kind])

    return spoil


@FIXTURES
@given(changes=st.lists(st.tuples(st.sampled_from(["part-0.parquet", "_environment.json"]), damages()), max_size=2))
@pytest.mark.slow
def test_any_damage_to_any_file(
    tmp_path_factory: pytest.TempPathFactory, small_run: Path, undrawn: None, changes: list[tuple[str, Any]]
) -> None:
    run_dir = tmp_path_factory.mktemp("run") / "demo"
    shutil.copytree(small_run / "generation", run_dir / "generation")
    shutil.copytree(small_run / "generation", run_dir / "untouched")
    (run_dir / "generation" / "kept").write_text(json.dumps([1, 2, 3]))
    for name, spoil in changes:
        path = run_dir / "generation" / name
        if path.is_file() and path.stat().st_size:
            spoil(path)
    page = page_of(run_dir)
    assert "untouched" in page
    assert "<b>5</b> ok" in page.split("<h2>untouched ")[1]


@FIXTURES
@given(name=st.binary(min_size=1, max_size=60).filter(lambda name: not {b"/", b"\0"} & {bytes([c]) for c in name}))
@pytest.mark.slow
def test_sweeps_and_runs_of_any_name(
    tmp_path_factory: pytest.TempPathFactory, small_run: Path, undrawn: None, name: bytes
) -> None:
    if name in (b".", b".."):
        return
    run_dir = tmp_path_factory.mktemp("run") / os.fsdecode(name)
    shutil.copytree(small_run / "generation", run_dir / f"s{os.fsdecode(name)}")
    assert page_of(run_dir)
