"""A factor that a benchmark got later: directories from before go on, their rows being of the factor's default."""

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pytest
from pydantic import Field

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.base import OneTaskPerCell
from actors.benchmarks.noop import Noop, NoopFactors
from actors.devices.nodes import local_node
from actors.inline_pool import InlinePool
from sweeps.errors import SpecChanged
from sweeps.plan.declaration import ADDED_LATER, Factors, added_defaults, added_later, levels_before
from sweeps.plan.spec import Defaults, Spec, Sweep
from sweeps.plan.spec_reader import with_defaults
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.schema import COLUMNS, Columns

OLD = COLUMNS["noop"].factors
NEW = {"batch_size": pa.int32(), "ratio": pa.float64(), "limits": pa.string()}


class LaterFactors(NoopFactors):
    batch_size: int = Field(default=1, ge=1, json_schema_extra=ADDED_LATER)
    ratio: float = Field(default=0.0, json_schema_extra=ADDED_LATER)
    limits: dict[str, Any] = Field(default_factory=dict, json_schema_extra=ADDED_LATER)


class Later(Noop):
    columns: ClassVar[Columns] = Columns(factors={**OLD, **NEW})
    factors: ClassVar[type[Factors]] = LaterFactors
    resource_kind: ClassVar[str | None] = "thing"
    load_factors: ClassVar[tuple[str, ...]] = ("batch_size", "limits")


class PanelFactors(NoopFactors):
    panel: bool = Field(default=True, json_schema_extra=added_later(before=False))


class Panel(Noop):
    columns: ClassVar[Columns] = Columns(factors={**OLD, "panel": pa.bool_()})
    factors: ClassVar[type[Factors]] = PanelFactors


class ForgottenFactors(NoopFactors):
    batch_size: int = 1


class Forgotten(Noop):
    columns: ClassVar[Columns] = Columns(factors={**OLD, "batch_size": pa.int32()})
    factors: ClassVar[type[Factors]] = ForgottenFactors


def run_all(
    directory: Path,
    benchmark: OneTaskPerCell,
    *,
    iterations: int = 1,
    warnings: list[str] | None = None,
    **factors: list[Any],
) -> int:
    """Run what is left of a sweep over those factors, the others at their defaults; how many tasks ran."""
    registry: Any = {"noop": benchmark}
    sweep = Sweep(name="s", benchmark="noop", iterations=iterations, warmup=0, factors={"index": [0, 1]} | factors)
    spec = with_defaults(Spec(name="later", sweep=[sweep]), Defaults(device="cpu", cpu_cores=1), registry)
    coordinator = Coordinator(make_plan(spec, registry, directory), registry, Policy())
    coordinator.open()
    pool = InlinePool(coordinator, registry, local_node(), 60.0)
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    status = coordinator.close()
    assert status.left == 0
    if warnings is not None:
        warnings.extend(status.warnings)
    return status.done - status.done_before


def rows(directory: Path) -> pd.DataFrame:
    return pd.read_parquet(directory / "s")


def test_a_directory_from_before_the_factor_goes_on(tmp_path: Path) -> None:
    assert run_all(tmp_path, Noop()) == 2
    before = rows(tmp_path)
    assert run_all(tmp_path, Later()) == 0, "the factor at its default is what was measured"
    assert run_all(tmp_path, Later(), batch_size=[1, 8]) == 2, "the new level"
    assert run_all(tmp_path, Later(), batch_size=[8, 1]) == 0
    after = rows(tmp_path)
    old = after[after["task_id"].isin(before["task_id"])]
    assert set(old["task_id"]) == set(before["task_id"])
    assert set(old["cell_id"]) == set(before["cell_id"])
    assert (old["batch_size"] == 1).all()
    assert (old["ratio"] == 0.0).all()
    assert (old["limits"] == "{}").all(), "as rows hold a table"
    new = after.drop(index=old.index)
    assert sorted(zip(new["index"], new["batch_size"], strict=True)) == [(0, 8), (1, 8)]
    assert not set(new["cell_id"]) & set(before["cell_id"])
    assert after["task_id"].is_unique


def test_rows_at_the_default_are_of_one_cell_whenever_they_were_measured(tmp_path: Path) -> None:
    run_all(tmp_path, Noop())
    assert run_all(tmp_path, Later(), iterations=3, batch_size=[1, 8]) == 6
    table = rows(tmp_path)
    cells = table.groupby("cell_id").agg({"iteration": sorted, "batch_size": "unique"})
    assert list(cells["iteration"]) == [[0, 1, 2]] * 4
    assert sorted(map(tuple, cells["batch_size"])) == [(1,), (1,), (8,), (8,)]


@pytest.mark.parametrize(
    ("factor", "level", "message"),
    [
        ("ratio", 0.5, "factors.ratio: rows on disk [0.0], this spec [0.5]"),
        ("limits", {"cpu": "1GiB"}, 'factors.limits: rows on disk [{}], this spec [{"cpu": "1GiB"}]'),
        ("batch_size", 2, "factors.batch_size: rows on disk [1], this spec [2]"),
    ],
)
def test_a_spec_without_the_default_leaves_out_what_was_measured(
    tmp_path: Path, factor: str, level: Any, message: str
) -> None:
    run_all(tmp_path, Noop())
    with pytest.raises(SpecChanged, match=re.escape(message)) as caught:
        run_all(tmp_path, Later(), **{factor: [level]})
    assert str(caught.value).count("rows on disk") == 1, "the other factors that came later are as they were"


@pytest.mark.slow
def test_every_combination_of_added_levels_is_a_cell_of_its_own(tmp_path: Path) -> None:
    run_all(tmp_path, Noop())
    assert run_all(tmp_path, Later(), batch_size=[1, 2], ratio=[0.0, 0.5], limits=[{}, {"cpu": "1GiB"}]) == 14
    assert rows(tmp_path)["cell_id"].nunique() == 16


def test_a_failed_row_from_before_has_the_default_too(tmp_path: Path) -> None:
    sweep = {"device": ["cpu", "k80"]}
    run_all(tmp_path, Noop(), **sweep)
    run_all(tmp_path, Later(), **sweep)
    table = rows(tmp_path)
    assert sorted(table["status"]) == ["ok", "ok", "unavailable", "unavailable"]
    assert (table["batch_size"] == 1).all()


def test_the_file_beside_the_rows_has_the_new_columns(tmp_path: Path) -> None:
    run_all(tmp_path, Noop())
    run_all(tmp_path, Later())
    document = json.loads((tmp_path / "s" / "_environment.json").read_text())
    assert document["columns"]["factors"]["batch_size"] == "int32"
    assert document["spec"]["sweep"]["factors"]["batch_size"] == [1]


def test_rows_from_before_keep_the_level_that_they_were_measured_at(tmp_path: Path) -> None:
    run_all(tmp_path, Noop())
    first: list[str] = []
    assert run_all(tmp_path, Panel(), index=[0, 1, 2], warnings=first) == 1, "only the new cell"
    assert rows(tmp_path).sort_values("index")["panel"].tolist() == [False, False, True]
    (told,) = first
    assert told == (
        f"{tmp_path / 's'}: 2 rows are older than the factor 'panel': they stay as they are, with panel = false; tasks "
        "that are left run as the spec says"
    )
    again: list[str] = []
    assert run_all(tmp_path, Panel(), index=[0, 1, 2, 3], warnings=again) == 1
    assert again == [], "told once"
    assert rows(tmp_path).sort_values("index")["panel"].tolist() == [False, False, True, True]


def test_the_level_of_before_may_be_asked_for_beside_the_default(tmp_path: Path) -> None:
    run_all(tmp_path, Noop())
    assert run_all(tmp_path, Panel(), panel=[True, False]) == 2


def test_only_factors_with_a_level_of_before_have_one() -> None:
    assert levels_before(LaterFactors) == {}
    assert levels_before(PanelFactors) == {"panel": False}
    assert added_defaults(PanelFactors) == {"panel": True}


def test_without_the_mark_the_directory_is_refused(tmp_path: Path) -> None:
    run_all(tmp_path, Noop())
    with pytest.raises(SpecChanged, match=r"factors\.batch_size: rows on disk null, this spec \[1\]"):
        run_all(tmp_path, Forgotten())


MODEL = {"device", "cpu_cores", "model", "device_map", "max_memory", "quantization", "dtype"}
FACTORS_OF_TODAY: dict[str, set[str]] = {
    "noop": {"device", "cpu_cores", "index", "wait_s"},
    "model_loading": MODEL | {"source", "cache_state"},
    "generation": MODEL | {"max_new_tokens", "prompt_words"},
    "decoding_strategy": MODEL | {"max_new_tokens", "prompt_words", "decoding_strategy"},
    "logits": MODEL | {"input_words"},
    "encoding": {"device", "cpu_cores", "model", "input_words", "texts", "move_to_device"},
    "binoculars": {
        *("device", "cpu_cores", "pair", "corpus", "fragments", "alignment", "placement"),
        *("max_tokens", "shard_records", "quantization", "dtype"),
    },
    "fidelity": {
        *("device", "cpu_cores", "model", "quantization", "dtype", "corpus", "fragments"),
        *("max_tokens", "shard_records"),
    },
}
"""Factors that rows on users' disks have. Never add to this: a factor of later is marked with ADDED_LATER."""


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_factor_of_later_is_marked_so_that_older_directories_go_on(name: str) -> None:
    factors = BENCHMARKS[name].factors
    assert FACTORS_OF_TODAY[name] <= factors.model_fields.keys(), "rows on disk have it"
    later = factors.model_fields.keys() - FACTORS_OF_TODAY[name]
    assert later == added_defaults(factors).keys(), (
        "give the new factor a default and json_schema_extra=ADDED_LATER (docs/extending.md, 'A factor')"
    )
