"""Columns are checked when they are made, and no number is measured that the report does not show."""

import re
from typing import Any

import pyarrow as pa
import pytest

from sweeps.schema import COLUMNS, Columns, is_number

INPUT = "how much the cell reads, writes or loads: the factors and the model decide it, and a rate is shown"
LOADED = "a property of the loaded model: the report names it, or tells cells apart by it"
SUMS = "behind the score, whose parts log_ppl and log_xppl are shown"
PANEL_SUMS = "behind the scores of the panel, which are shown"
PANEL_COUNTS = "counts tokens of a text: an average over texts would mostly say how long they are"
POOLED = "for means over the tokens of many texts; the means of a text are shown"
SHARD = "of a whole shard, and repeated in the row of each of its texts: an average over texts would count it often"
NOT_SHOWN = {
    "quantized_share": LOADED,
    "prompt_tokens": INPUT,
    "new_tokens": INPUT,
    "input_tokens": INPUT,
    "input_bytes": INPUT,
    "output_tokens": INPUT,
    "load_bytes": INPUT,
    "length_tokens": INPUT,
    "rayon_threads_effective": "threads that took effect: the report tells cells apart by them",
    "nll_sum": SUMS,
    "xent_sum": SUMS,
    "n_nll": SUMS,
    "n_xent": SUMS,
    **dict.fromkeys(("xent_aligned_sum", "var_sum", "entropy_o_sum", "entropy_q_sum", "log_rank_sum"), PANEL_SUMS),
    **dict.fromkeys(("rank_1", "rank_10", "rank_100", "rank_1000", "top1_agree"), PANEL_COUNTS),
    "truncated": "says which texts were cut, and is no measurement",
    **dict.fromkeys(("kl_sum", "nll_reference_sum", "nll_quantized_sum", "n_predicted"), POOLED),
    "fidelity.peak_allocated_bytes": SHARD,
    "fidelity.peak_reserved_bytes": SHARD,
    "fidelity.peak_device_used_bytes": SHARD,
    "fidelity.peak_rss_bytes": SHARD,
    "binoculars.peak_allocated_bytes": SHARD,
    "binoculars.peak_reserved_bytes": SHARD,
    "binoculars.peak_device_used_bytes": SHARD,
    "binoculars.peak_rss_bytes": SHARD,
}
"""Numbers that are no headline, of all benchmarks or of one, each with the reason."""


@pytest.mark.parametrize("benchmark", COLUMNS)
def test_every_number_is_a_headline_or_has_a_reason_to_be_none(benchmark: str) -> None:
    columns = COLUMNS[benchmark]
    numbers = {name for name, kind in columns.metrics.items() if is_number(kind)}
    shown = {name for name in numbers if name not in NOT_SHOWN and f"{benchmark}.{name}" not in NOT_SHOWN}
    assert shown == set(columns.headlines), (
        "a metric that never reaches the report: make it a headline in sweeps/schema.py, or give the reason here"
    )


def test_every_reason_is_of_a_metric() -> None:
    metrics = {name for columns in COLUMNS.values() for name in columns.metrics}
    assert {name.split(".")[-1] for name in NOT_SHOWN} <= metrics


def test_the_memory_beyond_the_model_follows_the_rate_and_time_of_logits() -> None:
    assert COLUMNS["logits"].headlines[:3] == (
        "calculation_rate_tokens_per_s",
        "calculation_time_s",
        "peak_allocated_beyond_model_bytes",
    )


NUMBERS = {"a_s": pa.float64(), "b_s": pa.float64()}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"headlines": ("a_s", "c_s")}, "headlines c_s are no metrics; these are a_s, b_s"),
        ({"headlines": ("model",)}, "headlines model are no metrics"),
        ({"metrics": {"a": pa.string()}, "headlines": ("a",)}, "headlines a are no numbers"),
        ({"measure": "c_s"}, "measure 'c_s' is no metric; these are a_s, b_s"),
        ({"metrics": {"model": pa.string(), "status": pa.string()}}, "common columns already: leave out model, status"),
        ({"factors": {"cpu_cores": pa.int32()}}, "common columns already: leave out cpu_cores"),
        ({"identity": {"task_id": pa.string()}}, "common columns already: leave out task_id"),
        ({"factors": {"a_s": pa.float64()}}, "one of them only: a_s"),
        ({"identity": {"b_s": pa.float64()}}, "one of them only: b_s"),
    ],
)
def test_wrong_columns_are_refused_when_they_are_made(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Columns(**{"metrics": NUMBERS, **columns})


def test_the_share_of_true_values_may_be_a_headline() -> None:
    assert Columns(metrics={"correct": pa.bool_()}, headlines=("correct",)).headlines == ("correct",)


@pytest.mark.parametrize("kind", ["factors", "metrics", "identity"])
def test_names_of_the_reports_own_columns_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="columns of its own named n, mean"):
        Columns(**{kind: {"n": pa.int64(), "mean": pa.float64()}})
