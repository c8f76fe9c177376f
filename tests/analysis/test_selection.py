"""Rows of a section: the published levels, or the nearest ones with a remark; tables of averages."""

from pathlib import Path
from typing import Any

import pytest

from analysis.load import read_run
from analysis.sections.pivot import pivot
from analysis.sections.selection import Selection

TIME = "inference_time_s"


@pytest.fixture
def selection(run_dir: Path, write: Any, cell: Any, row: Any) -> Selection:
    rows = [
        *cell([10.0, 10.1, 10.2], device="k80", device_class="tesla-k80", quantization="4-bit", cpu_cores=1),
        *cell([30.0, 10.0, 20.0], device="gtx-1070", device_class="gtx", quantization="4-bit", cpu_cores=1),
        *cell([1.0, 1.1], device="gpu x3", device_map="auto", device_class="gtx", quantization="8-bit", cpu_cores=6),
        row(status="oom_gpu", device="gtx-1070", device_class="gtx", quantization="8-bit", cpu_cores=1),
        *cell([0.5], cpu_cores=6),
    ]
    factors = {"device": ["gtx-1070", "k80", "gpu x3", "cpu"], "device_map": ["single", "auto"]}
    write(run_dir, rows, factors=factors)
    return Selection(read_run(run_dir).sweeps[0])


def test_devices_are_named_with_their_map_in_the_order_of_the_spec(selection: Selection) -> None:
    averages = selection.with_device_map().average(TIME)
    assert averages.levels["device_map"] == ["gtx-1070", "k80", "gpu x3 (auto)", "cpu"]


def test_the_nearest_level_is_taken_and_only_another_one_is_told(selection: Selection) -> None:
    near = selection.among("device_class", ["tesla-k80"])
    assert near is not None
    assert near.nearest("cpu_cores", 1).remarks == ()
    assert near.nearest("cpu_cores", 16).remarks == ("No row has 16 CPU cores: 1 is shown instead.",)


def test_a_device_without_the_nearest_level_stays_with_its_own_and_that_is_told(selection: Selection) -> None:
    near = selection.with_device_map().nearest("cpu_cores", 6)
    assert near.remarks == ("No row of k80, gtx-1070 has 6 CPU cores: 1 is shown instead.",)
    assert dict(zip(near.sweep.ok["device_map"], near.sweep.ok["cpu_cores"], strict=True)) == {
        "k80": 1,
        "gtx-1070": 1,
        "gpu x3 (auto)": 6,
        "cpu": 6,
    }
    assert "oom_gpu" in set(near.sweep.rows["status"]), "a failure at the level stays"


def test_a_level_that_is_not_there_gives_no_section_or_all_rows_with_a_remark(selection: Selection) -> None:
    assert selection.among("quantization", ["2-bit"]) is None
    every = selection.among("quantization", ["2-bit"], else_all=True)
    assert every is not None
    assert every.remarks == ("No row is of 2-bit: 4-bit, 8-bit, none is shown instead.",)


def test_gpus_are_found_by_name_and_cpus_by_class(selection: Selection) -> None:
    placed = selection.with_device_map()
    assert set(placed.on_gpus("1070").sweep.ok["device_map"]) == {"gtx-1070"}
    assert set(placed.on_gpus().sweep.ok["device_map"]) == {"gtx-1070", "k80", "gpu x3 (auto)"}
    missing = placed.on_gpus("h100")
    assert missing.remarks == ("No row is of h100: gpu x3 (auto), gtx-1070, k80 is shown instead.",)
    cpu = placed.on_cpu()
    assert cpu is not None
    assert set(cpu.sweep.ok["device_map"]) == {"cpu"}


def test_a_table_has_means_with_reasons_to_doubt_and_the_status_of_what_failed(selection: Selection) -> None:
    table = pivot(selection.with_device_map().on_gpus(), TIME, "quantization", first=("device_map",))
    assert table.headers[0] == "device map"
    assert table.headers[-2:] == ("quantization 4-bit", "quantization 8-bit")
    cells = {row[0]: row[-2:] for row in table.rows}
    assert list(cells) == ["gtx-1070", "k80", "gpu x3 (auto)"]
    assert cells["k80"] == ("1.584", "–")
    assert cells["gtx-1070"] == ("0.9778 ⚠ sd 57% of the mean; a row 64% away from the mean", "oom_gpu")
    assert table.note == "n = 2 to 3 rows a cell: too few to tell an interval."
