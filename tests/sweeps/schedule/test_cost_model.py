"""Unlike devices end together, and loads stay few: the real coordinator and supervisor in simulated time."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from actors.benchmarks import BENCHMARKS
from actors.devices.nodes import Gpu, Node
from bench.simulation import Costs, SimulatedRun, simulate
from sweeps.plan.spec import Defaults, Spec
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.schedule.cost_model import CostModel, frees_resources_for
from sweeps.schema import COLUMNS
from sweeps.store.rows import failed_row, measured_row
from sweeps.task import Allocation, Lease, Outcome, Slot, Task
from tests.fakes import REGISTRY, faulty_spec, plan_of

DIES = ("Tesla K80", "Tesla K80", "NVIDIA GeForce GTX 1070")
K80, GTX = "tesla-k80", "gtx-1070"

# Seconds for 256 tokens of an 8B model, and for loading it: what the study that we reproduce measured on that box.
GENERATION_S: Final = {(K80, "4-bit"): 40.6, (K80, "8-bit"): 149.4, (GTX, "4-bit"): 23.8, (GTX, "8-bit"): 93.0}
CPU_GENERATION_S: Final = {1: 590.0, 2: 390.0, 4: 202.0, 8: 205.0, 16: 216.0}
LOAD_S: Final = {K80: 9.0, GTX: 7.5, "cpu": 3.0}
MODELS: Final = (
    "meta-llama/Meta-Llama-3-8B",
    "tiiuae/falcon-7b",
    "mistralai/Mistral-7B-v0.3",
    "meta-llama/Llama-2-7b-hf",
)


def box(cores: int) -> Node:
    gpus = tuple(Gpu(f"GPU-{index}", name, 0, (3, 7)) for index, name in enumerate(DIES))
    return Node("box", "box", "a CPU", tuple(range(cores)), gpus)


def classes(allocation: Allocation) -> list[str]:
    return allocation.device_class.split("+")


# ---- one slot kind, two dies of speed 1 and a card of speed 2 ------------------------------------------------------


def unlike(load_s: float) -> Costs:
    speed = {K80: 1.0, GTX: 2.0}
    return Costs(
        task_s=lambda task, allocation: float(str(task.factors["wait_s"])) / speed[allocation.device_class],
        load_s=lambda task, allocation: load_s,  # the disk's speed, not the device's
    )


def waiting_spec(models: int, wait_s: Sequence[float], tasks: int) -> Spec:
    """Return a spec with so many tasks of each model and duration."""
    things = [f"model {number}" for number in range(models)]
    return faulty_spec(device=["gpu"], thing=things, wait_s=list(wait_s), index=list(range(tasks)))


def ideal_s(spec: Spec, loads: int, load_s: float) -> float:
    """No schedule is shorter: all devices busy to the end, each model loaded once and on the slowest device."""
    work_s = sum(float(str(task.factors["wait_s"])) for _, task in plan_of(spec, REGISTRY).tasks())
    return (work_s + loads * load_s) / (1 + 1 + 2)


@pytest.mark.parametrize(
    ("models", "wait_s", "tasks", "load_s"),
    [
        pytest.param(1, [5.0], 120, 0.0, id="equal tasks"),
        pytest.param(1, [2.0, 4.0, 8.0, 16.0], 40, 0.0, id="unequal tasks"),
        pytest.param(1, [5.0], 300, 20.0, id="one model, three devices: two loads more than needed"),
        pytest.param(4, [2.0, 4.0, 8.0], 40, 20.0, id="more models than devices"),
        pytest.param(3, [2.0, 4.0, 8.0], 120, 60.0, id="loads that take many tasks"),
        pytest.param(1, [0.01], 4000, 0.0, id="small tasks, leased together"),
        pytest.param(3, [0.01, 0.05, 0.2], 300, 1.0, id="small tasks of several models"),
    ],
)
def test_unlike_devices_end_within_a_tenth_of_the_ideal(
    models: int, wait_s: list[float], tasks: int, load_s: float, tmp_path: Path
) -> None:
    spec = waiting_spec(models, wait_s, tasks)
    run = simulate(spec, REGISTRY, [box(cores=3)], unlike(load_s), tmp_path)
    assert run.counts == {"ok": models * len(wait_s) * tasks}
    assert 0.999 <= run.makespan_s / ideal_s(spec, models, load_s) <= 1.1


def test_what_others_finish_sooner_than_a_load_takes_is_left_to_them(tmp_path: Path) -> None:
    spec = waiting_spec(models=3, wait_s=[1.0], tasks=30)
    run = simulate(spec, REGISTRY, [box(cores=3)], unlike(load_s=40.0), tmp_path)
    assert run.loads == run.groups == 3
    assert run.makespan_s == pytest.approx(40.0 + 30.0, abs=1.0), "a die's load and tasks; the card loaded no second"


# ---- the published grid of generation ------------------------------------------------------------------------------


def generation_costs() -> Costs:
    def task_s(task: Task, allocation: Allocation) -> float:
        levels: Any = task.factors
        if allocation.device_class == "cpu":
            run_s = CPU_GENERATION_S[levels["cpu_cores"]]
        else:
            run_s = max(GENERATION_S[device_class, levels["quantization"]] for device_class in classes(allocation))
        return run_s * levels["max_new_tokens"] / 256 * (task.warmup + task.iterations)

    return Costs(
        task_s, lambda task, allocation: max(LOAD_S[device_class] for device_class in classes(allocation)), start_s=8.0
    )


def generation_spec(models: Sequence[str], device: str | None, seed: int = 0) -> Spec:
    """The published sweep; with `device`, all of its GPU cells on that one."""
    overrides = [f"generation.factors.model={list(models)}", f"generation.seed={seed}"]
    if device is not None:
        overrides += [
            f"generation.factors.device=['{device}']",
            "generation.factors.device_map=['single']",
            "generation.factors.quantization=['4-bit', '8-bit']",
            "generation.exclude=[]",
        ]
    spec = read_spec("generation", overrides, BENCHMARKS)
    return with_defaults(spec, Defaults(device="gpu", cpu_cores=4), BENCHMARKS)


def generate(directory: Path, models: Sequence[str], device: str | None, cores: int, seed: int = 0) -> SimulatedRun:
    spec = generation_spec(models, device, seed)
    run = simulate(spec, BENCHMARKS, [box(cores)], generation_costs(), directory / f"{device} {seed}")
    assert run.counts == {"ok": len(plan_of(spec, BENCHMARKS))}
    return run


@pytest.mark.slow
@pytest.mark.parametrize("cores", [16, 48])
@pytest.mark.parametrize("models", [MODELS[:1], MODELS], ids=["one model", "four models"])
@pytest.mark.parametrize("device", ["gpu", None], ids=["any gpu", "devices by name"])
def test_loads_of_the_published_grid_are_few(
    models: Sequence[str], device: str | None, cores: int, tmp_path: Path
) -> None:
    run = generate(tmp_path, models, device, cores)
    assert run.groups <= run.loads <= 1.2 * run.groups


def test_loads_are_few_whatever_the_order(tmp_path: Path) -> None:
    runs = [generate(tmp_path, MODELS[:1], "gpu", cores=16, seed=seed) for seed in range(10)]
    assert sum(run.loads for run in runs) <= 1.2 * sum(run.groups for run in runs)


def test_few_loads_do_not_cost_the_makespan(tmp_path: Path) -> None:
    """Cores to spare and four models: the tail is short, so the devices' speeds are the only limit."""
    run = generate(tmp_path, MODELS, "gpu", cores=48)
    spec, costs = generation_spec(MODELS, "gpu"), generation_costs()
    tasks = [task for _, task in plan_of(spec, BENCHMARKS).tasks()]
    alone_s = {name: sum(costs.task_s(task, allocation_of(name)) for task in tasks) for name in (K80, GTX)}
    assert run.makespan_s <= 1.1 / (2 / alone_s[K80] + 1 / alone_s[GTX])


# ---- the two rules -------------------------------------------------------------------------------------------------


def allocation_of(device_class: str) -> Allocation:
    return Allocation(device_class, Slot("gpu", 1, 1), "box", device_class, device_class)


def taught(*seen: tuple[str, float, int]) -> CostModel:
    """Return a cost model that has seen (device class, duration, loads) of one model's tasks."""
    cost_model = CostModel()
    ((_, task),) = plan_of(faulty_spec(device=["gpu"]), REGISTRY).tasks()
    for device_class, duration_s, loads in seen:
        rows = (measured_row(Lease(task, 1), COLUMNS["noop"], 0, {}, {}),)
        cost_model.observe(
            task, allocation_of(device_class), Outcome(task.task_id, 1, rows, loads=loads, duration_s=duration_s)
        )
    return cost_model


@pytest.mark.parametrize(
    ("waiting", "room"),
    [(1, 0), (5, 0), (6, 1), (7, 2), (100, 95)],
    ids=lambda value: str(value),
)
def test_room_is_what_would_be_left_after_a_load_and_a_task(waiting: int, room: int) -> None:
    cost_model = taught((K80, 1.0, 0), (K80, 6.0, 1))
    assert cost_model.extra_workers("thing", waiting, 1, [allocation_of(K80)], allocation_of(K80)) == room


def test_the_mean_of_several_tasks_counts() -> None:
    cost_model = taught((K80, 1.0, 0), (K80, 3.0, 0), (K80, 20.0, 1))
    assert cost_model.extra_workers("thing", 99, 1, [allocation_of(K80)], allocation_of(K80)) == 100 - 10
    two = [allocation_of(K80), allocation_of(K80)]
    assert cost_model.extra_workers("thing", 99, 2, two, allocation_of(K80)) == 101 - 20


def test_a_slow_device_leaves_the_last_task_to_a_fast_one() -> None:
    cost_model = taught((K80, 10.0, 0), (K80, 11.0, 1), (GTX, 2.0, 0), (GTX, 3.0, 1))
    assert cost_model.extra_workers("thing", 1, 1, [allocation_of(GTX)], allocation_of(K80)) == 0
    assert cost_model.extra_workers("thing", 1, 1, [allocation_of(K80)], allocation_of(GTX)) == 1


def test_a_worker_to_be_started_is_taken_for_the_slowest_kind() -> None:
    cost_model = taught((K80, 10.0, 0), (K80, 11.0, 1), (GTX, 2.0, 0), (GTX, 3.0, 1))
    asked = [
        cost_model.extra_workers("thing", 3, 1, [allocation_of(GTX)], asks)
        for asks in (Slot("gpu", 1, 1), allocation_of(K80))
    ]
    assert asked == [0, 0], "or it would be started, be refused, and be started again"


def test_unknown_times_keep_nobody_away() -> None:
    assert CostModel().extra_workers("thing", 3, 1, [allocation_of(K80)], allocation_of(K80)) == 3
    assert taught((K80, 6.0, 1)).extra_workers("thing", 3, 1, [allocation_of(K80)], allocation_of(GTX)) == 3
    one_unknown = [allocation_of(K80), allocation_of(GTX)]
    assert taught((K80, 1.0, 0), (K80, 6.0, 1)).extra_workers("thing", 3, 2, one_unknown, allocation_of(K80)) == 3


def test_of_a_slot_the_kinds_count_that_were_seen_to_load() -> None:
    cost_model = taught((K80, 1.0, 0), (K80, 6.0, 1), (GTX, 1.0, 0))
    assert cost_model.extra_workers("thing", 9, 1, [allocation_of(K80)], Slot("gpu", 1, 1)) == 10 - 6


@pytest.mark.parametrize("status", ["error", "oom_gpu", "unsupported"])
def test_tasks_that_failed_teach_nothing(status: str) -> None:
    cost_model = taught((K80, 10.0, 0), (K80, 60.0, 1))
    ((_, task),) = plan_of(faulty_spec(device=["gpu"]), REGISTRY).tasks()
    rows = (failed_row(Lease(task, 1), COLUMNS["noop"], 0, {}, status, None, None),)
    for loads in (0, 1):
        cost_model.observe(task, allocation_of(K80), Outcome(task.task_id, 1, rows, loads=loads, duration_s=0.001))
    assert cost_model.extra_workers("thing", 9, 1, [allocation_of(K80)], allocation_of(K80)) == 10 - 6


def test_what_is_not_loaded_is_shared_to_the_last_task() -> None:
    cost_model = taught((K80, 1.0, 0))
    assert cost_model.extra_workers("nothing {}", 1, 1, [allocation_of(K80)], allocation_of(K80)) == 1


def test_a_seat_yields_to_narrower_ones_of_its_devices() -> None:
    narrower = [Slot("gpu", 1, 2), Slot("gpu", 1, 8), Slot("gpu", 1, 4), Slot("k80", 1, 2), Slot("gpu", 2, 2)]
    assert [frees_resources_for(Slot("gpu", 1, 4), slot) for slot in narrower] == [True, False, False, False, False]


def test_figures_of_a_simulation_are_the_same_each_time(tmp_path: Path) -> None:
    runs = [
        simulate(waiting_spec(2, [1.0, 3.0], 10), REGISTRY, [box(3)], unlike(2.0), tmp_path / name) for name in "ab"
    ]
    assert runs[0] == runs[1]
    assert math.isfinite(runs[0].makespan_s)
