"""The plan tells cells, exclusions and the fewest loads, without running anything."""

from io import StringIO

import pytest
from rich.console import Console

from actors.benchmarks import BENCHMARKS
from analysis.cell_statistics import FEWEST
from sweeps.plan.grid import Plan
from sweeps.plan.spec import Defaults
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.view.dry_run import FEWEST_ROWS, preview, print_plan
from tests.fakes import plan_of

DEFAULTS = Defaults(device="gpu", cpu_cores=4)
PLACED = ("model", "device", "device_map", "quantization", "cpu_cores")


def builtin(name: str) -> Plan:
    return plan_of(with_defaults(read_spec(name, [], BENCHMARKS), DEFAULTS, BENCHMARKS), BENCHMARKS)


def test_the_generation_grid_needs_a_load_for_each_way_to_have_the_model_not_for_each_cell() -> None:
    plan = builtin("generation")
    shown = preview(plan.grids[0], ())
    ways = {tuple(task.factors[name] for name in PLACED) for _, task in plan.tasks()}
    assert shown.loads == len(ways)
    assert shown.tasks == 5 * len(ways), "five lengths share each load"
    assert shown.cells == shown.tasks + shown.excluded


def test_what_is_done_needs_no_load_any_more() -> None:
    plan = builtin("decoding_strategy")
    done = [task.task_id for _, task in plan.tasks() if task.factors["device"] != "cpu"]
    shown = preview(plan.grids[0], done)
    assert (shown.done, shown.loads) == (len(done), 4), "one for each model on the CPU"
    assert {slot.device for slot in shown.slots} == {"cpu"}


def test_a_sweep_that_loads_within_its_cells_plans_none() -> None:
    text = StringIO()
    plan = builtin("model_loading")
    print_plan(Console(file=text, width=200), plan, [], lambda slot: None, {})
    assert preview(plan.grids[0], ()).loads == 0
    assert "cache_state = ['cold', 'warm']" in text.getvalue()


def printed(plan: Plan) -> str:
    text = StringIO()
    print_plan(Console(file=text, width=200), plan, [], lambda slot: None, {})
    return text.getvalue()


def with_repeats(name: str, iterations: int, rounds: int = 1, rename: str = "") -> Plan:
    spec = with_defaults(read_spec(name, [], BENCHMARKS), DEFAULTS, BENCHMARKS)
    sweeps = [sweep.model_copy(update={"iterations": iterations, "rounds": rounds}) for sweep in spec.sweep]
    return plan_of(spec.model_copy(update={"sweep": sweeps, "name": rename or spec.name}), BENCHMARKS)


@pytest.mark.parametrize(("iterations", "rounds", "few"), [(3, 1, True), (4, 1, True), (5, 1, False), (3, 2, False)])
def test_repeats_that_give_no_interval_are_told_in_one_line(iterations: int, rounds: int, few: bool) -> None:
    told = [line for line in printed(with_repeats("generation", iterations, rounds)).splitlines() if "too few" in line]
    assert told == few * [
        "note: the report will show 'too few to tell' in place of the 95% intervals of generation "
        f"({iterations} rows a cell): an interval needs 5 rows; set iterations = 5 or more"
    ]


def test_texts_that_are_scored_once_and_rehearsals_are_not_told_of_repeats() -> None:
    assert "too few" not in printed(with_repeats("binoculars_models", 1))
    assert "too few" not in printed(with_repeats("generation", 2, rename="generation-rehearsal"))


def test_the_report_shows_no_interval_below_the_same_number_of_rows() -> None:
    assert FEWEST_ROWS == FEWEST
