"""Two runs compared: what is found, what is never found, and what is said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.comparison.compare import ALL, LIMIT, Comparison, compare_runs
from analysis.comparison.page_part import compared_part, frame_of
from analysis.comparison.verdict import decision, exit_code, parse_share, terminal_table
from analysis.description import Description
from analysis.load import RunRows, SweepRows
from sweeps.errors import UserError
from sweeps.schema import COLUMNS

RATE = "generation_rate_tokens_per_s"


def run_of(rows: pd.DataFrame, benchmark: str = "generation", environments: Any = None) -> RunRows:
    rows = rows.assign(status="ok", environment_id="e")
    description = Description(environments={"e": environments or {"host": "box", "versions": {"torch": "2.13"}}})
    sweep = SweepRows("sweep", benchmark, COLUMNS[benchmark], rows, 0, 0, description)
    return RunRows(Path("run"), (sweep,))


def timed(seed: int, slow: float = 1.0, *, n: int = 10, sd: float = 0.03, rounds: int = 1, cells: int = 12) -> RunRows:
    """Rates of so many cells; the first cell takes `slow` times as long."""
    rng = np.random.default_rng(seed)
    cores = np.repeat(np.arange(1, cells + 1), n)
    rate = np.exp(np.log(cores) + sd * rng.standard_normal(len(cores))) / np.where(cores == 1, slow, 1)
    turn = np.tile(np.arange(n) % rounds, cells)
    return run_of(pd.DataFrame({"cpu_cores": cores, "round": turn, RATE: rate, "inference_time_s": 1 / rate}))


def first(comparison: Comparison) -> dict[str, Any]:
    return dict(comparison.cells.iloc[0])


def test_a_cell_is_compared_by_welch_on_logarithms() -> None:
    run, against = timed(1, n=6), timed(2, n=9)
    found = first(compare_runs(run, against))
    logs = [np.log(r.sweeps[0].rows.query("cpu_cores == 1")[RATE].to_numpy()) for r in (run, against)]
    expected = stats.ttest_ind(*logs, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found["p"] == pytest.approx(expected.pvalue)
    assert (found["ratio_low"], found["ratio_high"]) == pytest.approx((np.exp(interval.low), np.exp(interval.high)))
    assert (found["n_run"], found["n_against"]) == (6, 9)


def test_two_runs_of_the_same_thing_rarely_raise_an_alarm() -> None:
    alarms = sum(bool(compare_runs(timed(s), timed(s + 10_000)).cells["significant"].any()) for s in range(200))
    assert alarms <= stats.binom.ppf(0.99, 200, 0.05)  # a rate of 5% gives more in 1% of tests only


def test_a_slowdown_of_a_tenth_is_found() -> None:
    found = [compare_runs(timed(seed, 1.1), timed(seed + 10_000)) for seed in range(60)]
    assert sum(exit_code(comparison, 0.05) == 3 for comparison in found) >= 54
    assert first(found[0])["verdict"] == "slower"
    assert first(found[0])["slowdown"] == pytest.approx(0.1, abs=0.05)


def test_a_speed_up_never_fails() -> None:
    comparison = compare_runs(timed(1, 0.5), timed(2))
    assert first(comparison)["verdict"] == "faster"
    assert exit_code(comparison, 0.05) == 0


def test_a_small_but_certain_slowdown_fails_only_below_its_size() -> None:
    comparison = compare_runs(timed(1, 1.03, sd=0.001), timed(2, sd=0.001))
    assert first(comparison)["significant"]
    assert (exit_code(comparison, 0.05), exit_code(comparison, 0.02)) == (0, 3)


def test_cells_of_one_run_and_the_limit_of_two_runs_are_said(tmp_path: Path) -> None:
    comparison = compare_runs(timed(1, cells=4), timed(2, cells=3))
    assert comparison.only.to_dict("records") == [{"sweep": "sweep", "cell": "CPU cores: 4", "only_in": "run"}]
    assert comparison.sentences[-1] == LIMIT
    frame_of(comparison).to_csv(tmp_path / "compare.csv", index=False)
    assert "CPU cores: 4" in set(pd.read_csv(tmp_path / "compare.csv")["cell"])
    assert "CPU cores: 3" in terminal_table(comparison)
    assert comparison.cells["cell"].tolist()[-1] == ALL


def test_rows_of_another_model_are_not_the_same_cell() -> None:
    runs = [run_of(timed(s, cells=1).sweeps[0].rows.assign(model=f"model {s}")) for s in (1, 2)]
    comparison = compare_runs(*runs)
    assert comparison.cells.empty
    assert set(comparison.only["only_in"]) == {"run", "against"}


def test_the_environment_comes_first() -> None:
    rows = timed(1).sweeps[0].rows
    newer = run_of(rows, environments={"host": "box", "versions": {"torch": "2.14"}})
    comparison = compare_runs(newer, run_of(rows))
    assert comparison.environments.to_dict("records") == [{"what": "versions.torch", "run": "2.14", "against": "2.13"}]
    assert comparison.sentences[0] == "The environments differ in versions.torch."


def test_rounds_are_the_values_and_give_a_noise_floor() -> None:
    comparison = compare_runs(timed(1, rounds=5), timed(2, rounds=5))
    assert first(comparison)["n_run"] == 5
    assert comparison.noise["run"].tolist() == ["run", "against"]
    assert comparison.noise["floor"].between(0.01, 0.15).all()


def test_one_row_or_equal_rows_are_not_tested() -> None:
    assert first(compare_runs(timed(1, n=1), timed(2, n=1)))["reason"] == "too few to tell: n = 1"
    still = compare_runs(timed(1, 2.0, sd=0), timed(2, sd=0))
    assert first(still)["verdict"] == "not tested"
    assert exit_code(still, 0.05) == 1


def without_rate(run: RunRows, status: str) -> RunRows:
    """The run, its first cell with another status, and so without a rate."""
    rows = run.sweeps[0].rows
    lost = rows["cpu_cores"] == 1
    changed = rows.assign(status=rows["status"].mask(lost, status), **{RATE: rows[RATE].mask(lost)})
    return RunRows(run.directory, (replace(run.sweeps[0], rows=changed),))


def test_a_cell_that_failed_is_told_beside_the_decision() -> None:
    comparison = compare_runs(without_rate(timed(1, cells=3), "timeout"), timed(2, cells=3))
    told = "1 of 3 cells of the earlier run could not be compared: CPU cores: 1: timeout (10 rows)."
    assert told in comparison.sentences
    assert frame_of(comparison)["reason"].iloc[-1] == "only in against: timeout (10 rows)"
    first_line, second = decision(comparison, "5%", 0.05)
    assert (exit_code(comparison, 0.05), second) == (0, told)
    assert first_line.startswith("--fail-above 5%: 0 cells are slower")
    assert decision(compare_runs(timed(1), timed(2)), "5%", 0.05)[1:] == []


NOTHING_IN_COMMON = {
    "all rows failed": (without_rate(timed(1, cells=1), "error"), "the only cell: error (10 rows)"),
    "another model": (run_of(timed(1, cells=1).sweeps[0].rows.assign(model="b")), "model: a: not in this run"),
    "another sweep": (
        RunRows(Path("run"), (replace(timed(1).sweeps[0], name="other"),)),
        "the only cell: the sweep is not in this run",
    ),
    "rate 0": (
        run_of(timed(1, cells=1).sweeps[0].rows.assign(**{RATE: 0.0})),
        "the only cell: values that are not positive have no ratio",
    ),
}


@pytest.mark.parametrize("what", NOTHING_IN_COMMON)
def test_nothing_compared_is_exit_code_1_with_the_reason(what: str) -> None:
    run, why = NOTHING_IN_COMMON[what]
    earlier = run_of(timed(2, cells=1, n=6).sweeps[0].rows.assign(model="a"))
    if what != "another model":
        run = RunRows(run.directory, (replace(run.sweeps[0], rows=run.sweeps[0].rows.assign(model="a")),))
    comparison = compare_runs(run, earlier)
    assert exit_code(comparison, 0.05) == 1
    nothing, told = decision(comparison, "5%", 0.05)
    assert nothing.startswith("--fail-above 5%: nothing is decided, exit code 1")
    assert told == f"1 of 1 cell of the earlier run could not be compared: {why}."
    if what == "rate 0":
        assert (first(comparison)["n_run"], first(comparison)["n_against"]) == (10, 6)


def test_the_reason_to_doubt_stands_beside_the_verdict() -> None:
    rows = timed(1, 2.0, cells=1).sweeps[0].rows.assign(neighbours=1)
    comparison = compare_runs(run_of(rows), timed(2, cells=1))
    assert "slower (10 rows were measured beside other work)" in terminal_table(comparison)
    (table,) = compared_part(comparison, "earlier").content.tables
    place = table.headers.index("verdict")
    assert table.rows[0][place : place + 2] == ("slower", "10 rows were measured beside other work")
    assert {"n", "reason or doubt"} <= set(table.headers[: len(table.headers) - table.on_demand])


def scored(shift: float, texts: int = 30, fragments: int = 4) -> RunRows:
    record = np.repeat(np.arange(texts), fragments)
    score = np.random.default_rng(0).normal(1, 0.1, len(record)) + shift * (1 + record % 3)
    hashes = [f"{place}" for place in range(len(record))]
    rows = {"record_id": record.astype(str), "fragment_index": np.tile(np.arange(fragments), texts), "score": score}
    return run_of(pd.DataFrame(rows | {"text_sha256": hashes, "author": "human"}), "binoculars")


def test_scores_are_paired_by_text_and_counted_by_record() -> None:
    found = first(compare_runs(scored(0.001), scored(0.0)))
    assert found["n_run"] == 30
    assert found["difference"] == pytest.approx(0.002)
    assert found["verdict"] == "higher"
    assert first(compare_runs(scored(0.0), scored(0.0)))["reason"] == "all 120 texts have equal scores"


def test_divergences_of_texts_are_compared_as_scores_are() -> None:
    rows = [scored(shift).sweeps[0].rows.rename(columns={"score": "kl"}) for shift in (0.001, 0.0)]
    comparison = compare_runs(*(run_of(r, "fidelity") for r in rows))
    assert (first(comparison)["metric"], first(comparison)["verdict"]) == ("kl", "higher")
    assert first(comparison)["difference"] == pytest.approx(0.002)
    unlike = compare_runs(run_of(rows[0].assign(kl=np.nan), "fidelity"), run_of(rows[1], "fidelity"))
    assert first(unlike)["reason"] == "no text was scored by both runs in equal cells"


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.05", 0.05), (" 12.5 %", 0.125), ("0", 0.0)])
def test_a_share_is_read(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "five", "-1%", "nan", "%", "1_0%", "٥%", "1001%", "5%%", "5", "1.0"])
def test_another_share_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--fail-above"):
        parse_share(text)


def test_a_share_of_1_or_more_needs_its_percent_sign() -> None:
    with pytest.raises(UserError, match="give a % sign, such as 5%, or a fraction below 1"):
        parse_share("5")
