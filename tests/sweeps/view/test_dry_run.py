"""The plan tells cells, exclusions and the fewest loads, without running anything."""

from io import StringIO

from rich.console import Console

from actors.benchmarks import BENCHMARKS
from sweeps.plan.grid import Plan
from sweeps.plan.spec import Defaults
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.view.dry_run import preview, print_plan
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
