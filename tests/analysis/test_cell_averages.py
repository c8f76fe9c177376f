"""Statistics per cell against independent computations, and what tells cells apart."""

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from analysis.auc import auc_by_cell
from analysis.cell_averages import Averages, average
from analysis.cells_table import cells_table
from analysis.load import read_run

RATE = "generation_rate_tokens_per_s"


def averages_of(run_dir: Path) -> Averages:
    return average(read_run(run_dir).sweeps[0])


def rate_cells(run_dir: Path) -> pd.DataFrame:
    cells = averages_of(run_dir).cells
    return cells[cells["metric"] == RATE].reset_index(drop=True)


def test_statistics_match_the_standard_library_and_scipy(run_dir: Path, write: Any, cell: Any) -> None:
    values = {16: [10.0, 11.5, 9.25, 10.75], 32: [20.0, 20.5]}
    write(run_dir, [row for tokens, rates in values.items() for row in cell(rates, max_new_tokens=tokens)])

    cells = rate_cells(run_dir).set_index("max_new_tokens")

    for tokens, rates in values.items():
        error = statistics.stdev(rates) / math.sqrt(len(rates))
        half = stats.t.interval(0.95, len(rates) - 1, loc=0, scale=error)[1]
        factor = math.exp(half / statistics.mean(rates))
        low, high = statistics.mean(rates) / factor, statistics.mean(rates) * factor
        seen = cells.loc[tokens]
        assert seen["n"] == len(rates)
        assert seen["mean"] == pytest.approx(statistics.mean(rates))
        assert seen["median"] == pytest.approx(statistics.median(rates))
        assert seen["sd"] == pytest.approx(statistics.stdev(rates))
        assert (seen["ci95_low"], seen["ci95_high"]) == pytest.approx((low, high))
        assert (seen["min"], seen["max"]) == (min(rates), max(rates))


def test_one_row_has_a_mean_but_neither_spread_nor_interval(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([7.0]))
    (seen,) = rate_cells(run_dir).to_dict("records")
    assert (seen["n"], seen["mean"], seen["median"]) == (1, 7.0, 7.0)
    assert all(math.isnan(seen[name]) for name in ("sd", "ci95_low", "ci95_high"))
    assert not seen["sd_above_limit"]
    assert not seen["range_above_limit"]


@pytest.mark.parametrize(
    ("values", "sd_above", "range_above"),
    [
        ([9.0, 10.0, 11.0], True, False),  # sd is 10% of the mean exactly
        ([9.0001, 10.0, 10.9999], False, False),
        ([10.0] * 200 + [14.9], False, False),
        ([10.0] * 200 + [15.3], False, True),
        ([10.0] * 200 + [4.9], False, True),
        ([5.0, 15.0], True, True),  # both are 50% away from the mean exactly
        ([5.1, 14.9], True, False),
        ([3.0, 3.0, 3.0], False, False),
        ([0.0, 0.0], False, False),
        ([0.0, 1.0], True, True),
        ([-10.0, -10.1], False, False),  # the limit is a share of the mean's size
        ([-1.0, 1.0], True, False),  # a ratio to a negative value means nothing
    ],
)
def test_marks_at_the_bounds(
    run_dir: Path, write: Any, row: Any, values: list[float], sd_above: bool, range_above: bool
) -> None:
    write(run_dir, [row(i, **{RATE: value}) for i, value in enumerate(values)])
    (seen,) = rate_cells(run_dir).to_dict("records")
    assert (seen["sd_above_limit"], seen["range_above_limit"]) == (sd_above, range_above)


@pytest.mark.parametrize("status", ["oom_gpu", "timeout", "error", "unsupported", "worker_lost"])
def test_rows_that_are_not_ok_never_count(run_dir: Path, write: Any, cell: Any, row: Any, status: str) -> None:
    failed = row(9, status=status, started_at=None)
    lying = row(8, status=status, started_at=None) | {RATE: 1e9}
    write(run_dir, [*cell([10.0, 12.0]), failed, lying])
    (seen,) = rate_cells(run_dir).to_dict("records")
    assert (seen["n"], seen["mean"]) == (2, 11.0)


def test_an_interval_of_positive_values_stays_above_zero_however_wide(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([20.0, 40.0]))
    (seen,) = rate_cells(run_dir).to_dict("records")
    assert 0 < seen["ci95_low"] < 20
    assert seen["ci95_high"] > 40


def test_an_interval_of_values_of_both_signs_is_mean_plus_minus(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(i, **{RATE: value}) for i, value in enumerate([-1.0, 0.0, 1.0])])
    (seen,) = rate_cells(run_dir).to_dict("records")
    half = stats.t.interval(0.95, 2, loc=0, scale=1 / math.sqrt(3))[1]
    assert (seen["ci95_low"], seen["ci95_high"]) == pytest.approx((-half, half))


def test_rows_measured_beside_others_are_counted(run_dir: Path, write: Any, cell: Any) -> None:
    rows = cell([10.0, 10.0, 10.0]) + cell([9.0], max_new_tokens=32)
    write(run_dir, [row | {"neighbours": number} for number, row in enumerate(rows)])
    cells = rate_cells(run_dir)
    assert list(cells["rows_beside_others"]) == [2, 1]
    assert list(cells["most_neighbours"]) == [2, 3]


def test_nulls_in_ok_rows_never_count(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(0, **{RATE: 4.0}), row(1), row(2, **{RATE: 6.0})])
    (seen,) = rate_cells(run_dir).to_dict("records")
    assert (seen["n"], seen["mean"]) == (2, 5.0)


def test_metrics_without_a_value_are_left_out(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0]))
    assert averages_of(run_dir).metrics == (RATE, "inference_time_s", "ttft_s", "peak_rss_bytes")


def test_the_metric_that_the_figure_asks_for_is_shown_with_the_headlines(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0], new_tokens=7), figure={"y": "new_tokens"})
    assert averages_of(run_dir).metrics == (RATE, "inference_time_s", "ttft_s", "peak_rss_bytes", "new_tokens")


def test_factors_that_vary_tell_cells_apart_and_constants_are_named(run_dir: Path, write: Any, cell: Any) -> None:
    rows = [row for q in ("none", "4-bit") for row in cell([1.0, 2.0], quantization=q)]
    write(run_dir, rows, factors={"quantization": ["none", "4-bit", "8-bit"]})
    averages = averages_of(run_dir)
    assert averages.factors == ("quantization",)
    assert averages.levels == {"quantization": ["none", "4-bit"]}, "the spec's order, not the alphabet's"
    assert averages.constants["cpu_cores"] == 2
    assert list(rate_cells(run_dir)["quantization"]) == ["none", "4-bit"]


@pytest.mark.parametrize("name", ["device_name", "host", "dtype_effective", "environment_id", "cell_id"])
def test_unlike_things_inside_a_cell_are_kept_apart(run_dir: Path, write: Any, cell: Any, name: str) -> None:
    write(run_dir, cell([10.0, 10.0], **{name: "one"}) + cell([90.0, 90.0], **{name: "two"}))
    assert averages_of(run_dir).factors == (name,)
    assert list(rate_cells(run_dir)["mean"]) == [10.0, 90.0]


@pytest.mark.parametrize(
    ("name", "one", "two"),
    [
        ("quantized_share", 0.5, 0.9),
        ("quantized_share", None, 0.9),
        ("generation_mode_effective", "greedy_search", "sample"),
        ("peak_rss_method", "sampled", "vmhwm"),
    ],
)
def test_what_took_effect_inside_a_cell_tells_rows_apart(
    run_dir: Path, write: Any, cell: Any, name: str, one: Any, two: Any
) -> None:
    write(run_dir, cell([90.0, 90.0], **{name: two}), part="0")
    write(run_dir, cell([10.0, 10.0], **{name: one}), part="1")
    assert averages_of(run_dir).factors == (name,)
    assert sorted(rate_cells(run_dir)["mean"]) == [10.0, 90.0]


def test_scores_of_differently_quantized_models_are_kept_apart(run_dir: Path, write: Any, row: Any) -> None:
    rows = [
        row(i, benchmark="binoculars", author="human", record_id=str(i), score=share, quantized_share=share)
        for share in (0.5, 0.9)
        for i in range(2)
    ]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    averages = averages_of(run_dir)
    assert averages.factors == ("quantized_share",)
    assert list(averages.cells.loc[averages.cells["metric"] == "score", "mean"]) == [0.5, 0.9]


def test_shares_that_follow_from_model_and_quantization_need_no_note(run_dir: Path, write: Any, cell: Any) -> None:
    shares = {("a", "4-bit"): 0.5, ("a", "none"): None, ("b", "4-bit"): 0.9, ("b", "none"): None}
    rows = [
        row
        for (model, quantization), share in shares.items()
        for row in cell([1.0, 1.0], model=model, quantization=quantization, quantized_share=share)
    ]
    write(run_dir, rows)
    assert averages_of(run_dir).notes == ()


def test_a_host_that_differs_between_cells_is_told(run_dir: Path, write: Any, cell: Any) -> None:
    places = {(16, 1): "a", (16, 2): "b", (32, 1): "b", (32, 2): "a"}
    rows = [
        row
        for (tokens, cores), host in places.items()
        for row in cell([1.0, 1.0], max_new_tokens=tokens, cpu_cores=cores, host=host)
    ]
    write(run_dir, rows)
    (note,) = averages_of(run_dir).notes
    assert note.startswith("host differs between cells (a, b)")


def test_a_host_that_follows_from_one_factor_needs_no_note(run_dir: Path, write: Any, cell: Any) -> None:
    rows = [
        row
        for tokens in (16, 32)
        for cores in (1, 2)
        for row in cell([1.0, 1.0], max_new_tokens=tokens, cpu_cores=cores, host=f"host {tokens}")
    ]
    write(run_dir, rows)
    assert averages_of(run_dir).notes == ()


def test_a_null_level_is_a_level(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0], quantization=None) + cell([2.0], quantization="4-bit"))
    assert averages_of(run_dir).levels == {"quantization": ["4-bit", None]}
    assert list(rate_cells(run_dir)["mean"]) == [2.0, 1.0]


def test_a_benchmark_without_metrics_shows_its_time(run_dir: Path, write: Any, row: Any) -> None:
    rows = [row(i, benchmark="noop") | {"index": i} for i in range(3)]
    write(run_dir, rows, "noop", benchmark="noop")
    averages = averages_of(run_dir)
    assert averages.metrics == ("duration_s",)
    assert averages.factors == ("index",)


def binoculars_rows(row: Callable[..., Any]) -> list[dict[str, Any]]:
    scores = {"human": [1.0, 0.9, 0.8], "synthetic": [0.7, 0.85, 0.8]}
    rows = [
        row(i, benchmark="binoculars", observer="o", performer="p", author=author, score=score, record_id=str(i))
        for author, values in scores.items()
        for i, score in enumerate(values)
    ]
    rows.append(row(9, benchmark="binoculars", observer="o", performer="p", author="human", null_reason="too short"))
    return rows


def test_scores_of_several_hosts_are_one_cell(run_dir: Path, write: Any, row: Any) -> None:
    rows = [r | {"host": f"host {number % 2}"} for number, r in enumerate(binoculars_rows(row)[:-1])]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    averages = averages_of(run_dir)
    assert (averages.factors, averages.notes) == (("author",), ())


def test_rows_with_and_without_the_panel_are_one_cell(run_dir: Path, write: Any, row: Any) -> None:
    rows = [r | {"panel": bool(number % 2)} for number, r in enumerate(binoculars_rows(row)[:-1])]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    assert averages_of(run_dir).factors == ("author",)


def test_rarer_reasons_for_no_score_are_counted_together(run_dir: Path, write: Any, row: Any) -> None:
    rows = [
        row(i, benchmark="binoculars", author="human", record_id=f"r{i}", null_reason=f"reason {min(i, 13):02}")
        for i in range(15)
    ]
    write(run_dir, [*rows, *binoculars_rows(row)[:1]], "pairs", benchmark="binoculars")
    notes = averages_of(run_dir).notes
    assert notes[0] == "2 texts have no score and enter no number: reason 13."
    assert (len(notes), notes[-1]) == (13, "2 texts have no score for 2 other reasons.")


def test_texts_without_a_comparison_are_told_and_nothing_is_said_of_an_auc(run_dir: Path, write: Any, row: Any) -> None:
    texts = [
        row(i, benchmark="fidelity", author=None, record_id=f"r{i}", quantization=quantization, kl=kl)
        for quantization, levels in (("8-bit", [0.1, 0.3]), ("4-bit", [0.5, 0.7]))
        for i, kl in enumerate(levels)
    ]
    short = row(9, benchmark="fidelity", record_id="r9", quantization="4-bit", null_reason="one_token")
    write(run_dir, [*texts, short], "close", benchmark="fidelity")
    averages = averages_of(run_dir)
    means = averages.cells.set_index("quantization")["mean"]
    assert (means["8-bit"], means["4-bit"]) == (pytest.approx(0.2), pytest.approx(0.6))
    assert averages.notes == ("1 text has no kl and enters no number: one_token.",)


def test_scores_by_author_and_their_separation(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, binoculars_rows(row), "pairs", benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    averages = average(sweep)
    score = averages.cells[averages.cells["metric"] == "score"].set_index("author")
    assert score.loc["human", "mean"] == pytest.approx(0.9)
    assert list(score["n"]) == [3, 3]
    assert not score["sd_above_limit"].any(), "texts differ: their spread is no unsteadiness"
    assert averages.notes == ("1 text has no score and enters no number: too short.",)

    (seen,) = auc_by_cell(sweep, averages).to_dict("records")
    pairs = [(h > s) + 0.5 * (h == s) for h in (1.0, 0.9, 0.8) for s in (0.7, 0.85, 0.8)]
    assert seen["auc"] == pytest.approx(statistics.mean(pairs))
    assert (seen["n_human"], seen["n_synthetic"]) == (3, 3)


def test_intervals_of_scores_are_by_record(run_dir: Path, write: Any, row: Any) -> None:
    scores = {f"r{record}": [0.5 + 0.1 * record + 0.001 * place for place in range(4)] for record in range(6)}
    texts = [
        row(6 * place + number, benchmark="binoculars", record_id=record, fragment_index=place, score=values[place])
        for number, (record, values) in enumerate(scores.items())
        for place in range(4)
    ]
    write(run_dir, texts, "pairs", benchmark="binoculars")
    (cell,) = averages_of(run_dir).cells.to_dict("records")
    assert (cell["n"], cell["records"]) == (24, 6)
    means = [statistics.mean(values) for values in scores.values()]  # records of equal size: Student's t of their means
    half = stats.t.ppf(0.975, 5) * statistics.stdev(means) / math.sqrt(6)
    assert cell["ci95_high"] == pytest.approx(cell["mean"] * math.exp(half / cell["mean"]))
    assert cell["ci95_low"] == pytest.approx(cell["mean"] * math.exp(-half / cell["mean"]))


def test_many_fragments_of_four_records_are_too_few_for_an_interval(run_dir: Path, write: Any, row: Any) -> None:
    texts = [
        row(i, benchmark="binoculars", record_id=f"r{i % 4}", fragment_index=i, score=0.9 + 0.01 * i) for i in range(40)
    ]
    write(run_dir, texts, "pairs", benchmark="binoculars")
    (cell,) = averages_of(run_dir).cells.to_dict("records")
    assert (cell["n"], cell["records"]) == (40, 4)
    assert math.isnan(cell["ci95_low"])


def test_a_pair_says_its_models(run_dir: Path, write: Any, row: Any) -> None:
    pairs = [("org/a", "org/b"), ("org/b", "org/a")]
    texts = [
        row(i, benchmark="binoculars", pair=json.dumps(pairs[i % 2]), observer=pairs[i % 2][0],
            performer=pairs[i % 2][1], record_id=f"r{i}", score=0.9 + 0.01 * i)
        for i in range(4)
    ]  # fmt: skip
    write(run_dir, texts, "pairs", benchmark="binoculars")
    averages = averages_of(run_dir)
    assert averages.factors == ("pair",)
    table = cells_table(averages, "pairs")
    assert table is not None
    assert [line[0] for line in table.rows] == ["org/a with org/b", "org/b with org/a"]


def test_texts_of_no_known_author_enter_no_auc(run_dir: Path, write: Any, row: Any) -> None:
    rows = binoculars_rows(row)[:-1]
    rows += [row(20, author=author, score=9.0, record_id="x", benchmark="binoculars") for author in (None, "editor")]
    write(run_dir, [r | {"observer": "o", "performer": "p"} for r in rows], "pairs", benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    averages = average(sweep)
    (seen,) = auc_by_cell(sweep, averages).to_dict("records")
    assert (seen["n_human"], seen["n_synthetic"]) == (3, 3)
    assert seen["auc"] < 1
    assert averages.notes == ("2 texts are neither of author human nor synthetic, and enter no AUROC.",)


@pytest.mark.parametrize("alone", ["human", "synthetic"])
def test_without_one_of_the_authors_there_is_no_auc(run_dir: Path, write: Any, row: Any, alone: str) -> None:
    write(run_dir, [r for r in binoculars_rows(row) if r["author"] == alone], "pairs", benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    (seen,) = auc_by_cell(sweep, average(sweep)).to_dict("records")
    assert seen["auc"] is None


def test_each_pair_has_an_auc_of_its_own(run_dir: Path, write: Any, row: Any) -> None:
    rows = [r | {"observer": "o", "cell_id": "o"} for r in binoculars_rows(row)[:-1]]
    worse = [r | {"observer": "w", "cell_id": "w", "score": -r["score"]} for r in rows]
    write(run_dir, rows + worse, "pairs", benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    seen = auc_by_cell(sweep, average(sweep)).set_index("observer")
    assert list(seen.index) == ["o", "w"]
    assert seen.loc["o", "auc"] > 0.5
    assert seen.loc["w", "auc"] == pytest.approx(1 - seen.loc["o", "auc"])
    assert list(seen["n_human"]) == [3, 3]


def test_fragments_are_told_of_only_within_a_cell(run_dir: Path, write: Any, row: Any) -> None:
    rows = [r | {"observer": o, "cell_id": o} for o in "ab" for r in binoculars_rows(row)[:-1]]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    assert average(read_run(run_dir).sweeps[0]).notes == ()
    write(run_dir, [r | {"fragment_index": 1} for r in rows], "pairs", part="1", benchmark="binoculars")
    (note,) = average(read_run(run_dir).sweeps[0]).notes
    assert note.startswith("Fragments of one record are not independent")


def test_many_levels_are_not_all_named(run_dir: Path, write: Any, row: Any) -> None:
    rows = [
        row(i, benchmark="binoculars", author="human", score=1.0, record_id=str(i), generator=f"g{i:02}")
        for i in range(20)
    ]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    (note,) = average(read_run(run_dir).sweeps[0]).notes
    assert note.endswith("g10, g11 and 8 more.")


def test_no_factor_is_what_was_measured(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0]), factors={"ttft_s": [1], "status": ["ok"], "task_id": [], "nothing": [1]})
    assert averages_of(run_dir).factors == ()
