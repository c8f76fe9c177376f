"""Fidelity sweeps, end to end on the built-in models: every fragment has one row, and every row says what it is of."""

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.base import OOM_ITEM, Weights
from actors.benchmarks.fidelity import FidelityFactors
from models.builtin import cache
from models.load import load_model
from scoring.fidelity import Fidelity
from sweeps import run as command
from sweeps.command import Command
from sweeps.errors import UserError
from sweeps.metric_columns import FIDELITY, FRAGMENT
from sweeps.plan.spec import Defaults
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.schema import COLUMNS
from tests.fakes import plan_of

pytestmark = pytest.mark.slow

TINY = "builtin://tiny-base"
SPEC = """
name = "close"
[[sweep]]
name = "s"
benchmark = "fidelity"
iterations = 1
warmup = 0
[sweep.factors]
model = ["builtin://tiny-base"]
device = ["cpu"]
cpu_cores = [1]
dtype = ["float32"]
shard_records = [4]
"""
NUMBERS = sorted(FIDELITY.keys() - {"length_tokens", "truncated"})
"""Columns that are null in every row without a result."""


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    """A corpus of five good records, a line that is no JSON, and a record without words."""
    lines = cache.docs_path().read_text(encoding="utf-8").splitlines()[:5]
    empty = json.loads(lines[0]) | {"id": "no-words", "human": "  ", "synthetic": " \n"}
    (tmp_path / "texts.jsonl").write_text("\n".join([*lines[:2], "{not json", json.dumps(empty), *lines[2:]]) + "\n")
    columns = 'human = "human", synthetic = "synthetic", id = "id", generator = "generator"'
    return f'corpus = [{{ path = "texts.jsonl", {columns} }}]\n'


def rows_of(directory: Path, factors: str) -> tuple[int, str, pd.DataFrame]:
    """Run the spec by the command, inline: exit code, what is printed, and the rows."""
    (directory / "close.toml").write_text(SPEC + factors)
    told = io.StringIO()
    wanted = Command((str(directory / "close.toml"),), "inline", directory / "runs")
    code = command.run(wanted, Console(file=told, width=200))
    return code, told.getvalue(), pd.read_parquet(directory / "runs" / "close" / "s")


def test_each_quantization_has_a_row_for_each_fragment_and_eight_bits_are_closer(corpus: str, tmp_path: Path) -> None:
    code, told, rows = rows_of(tmp_path, corpus + 'quantization = ["none", "8-bit", "4-bit"]')
    assert code == 0
    assert "rows without a comparison, empty_text" in told
    assert list(rows.columns) == COLUMNS["fidelity"].schema.names
    key = ["quantization", "record_id", "author"]
    assert not rows.duplicated(key).any()
    measured = rows[rows["null_reason"].isna()]
    assert measured.groupby("quantization").size().to_dict() == {"none": 10, "8-bit": 10, "4-bit": 10}
    itself, eight, four = (measured[measured["quantization"] == name] for name in ("none", "8-bit", "4-bit"))
    assert (itself["kl"] == 0).all()
    assert (itself["top1_agreement"] == 1).all()
    assert (itself["ppl_ratio"] == 1).all()
    by_text = [one.set_index("record_id").query("author == 'human'") for one in (eight, four)]
    assert (by_text[0]["kl"] > 0).all()
    assert (by_text[0]["kl"] < by_text[1]["kl"]).all()
    assert (by_text[0]["kl_p99"] < by_text[1]["kl_p99"]).all()
    np.testing.assert_array_equal(*(one["log_ppl_reference"] for one in by_text))


def test_rows_are_what_the_library_says_and_their_sums_pool(corpus: str, tmp_path: Path) -> None:
    _, _, rows = rows_of(tmp_path, corpus + 'quantization = ["4-bit"]')
    models = load_model(TINY, dtype="float32"), load_model(TINY, quantization="4-bit", dtype="float32")
    rows = rows[rows["null_reason"].isna() & (rows["author"] == "human")]
    texts = {}
    for line in cache.docs_path().read_text(encoding="utf-8").splitlines()[:5]:
        record = json.loads(line)
        texts[record["id"]] = record["human"]
    results = Fidelity(*models).compare([texts[name] for name in rows["record_id"]])
    for row, result in zip(rows.to_dict("records"), results, strict=True):
        for name in NUMBERS:
            assert row[name] == pytest.approx(getattr(result, name), rel=1e-5, abs=1e-7), name
        assert row["kl"] == pytest.approx(row["kl_sum"] / row["n_predicted"])
        assert row["top1_agreement"] == pytest.approx(row["top1_agree"] / row["n_predicted"])
        difference = row["nll_quantized_sum"] - row["nll_reference_sum"]
        assert row["ppl_ratio"] == pytest.approx(math.exp(difference / row["n_predicted"]))
        assert row["length_tokens"] == row["n_predicted"] + 1


def test_rows_say_what_was_compared(corpus: str, tmp_path: Path) -> None:
    _, _, rows = rows_of(tmp_path, corpus + 'quantization = ["none", "8-bit"]')
    measured = rows[rows["null_reason"].isna()]
    row = measured[measured["quantization"] == "8-bit"].iloc[0]
    assert (row["model"], row["dtype"], row["dtype_effective"]) == (TINY, "float32", "float32")
    assert row["quantized_share"] == load_model(TINY, quantization="8-bit").quantized_share
    assert 0 < row["quantized_share"] < 1, "embedding and head stay as they are"
    assert measured[measured["quantization"] == "none"]["quantized_share"].isna().all()
    assert json.loads(row["device_map_effective"]) == [{"": "cpu"}, {"": "cpu"}]
    assert row["peak_rss_bytes"] > 0
    assert row["revision"]


def test_texts_without_a_result_are_rows_with_a_reason(corpus: str, tmp_path: Path) -> None:
    _, _, rows = rows_of(tmp_path, corpus + 'quantization = ["none"]\nmax_tokens = [16]')
    without = rows[rows["null_reason"].notna()]
    assert sorted(without["null_reason"]) == ["bad_row", "empty_text", "empty_text"]
    assert without[NUMBERS].isna().all(axis=None)
    assert (without["status"] == "ok").all()
    assert set(rows["truncated"].dropna()) == {True}


def test_prefixes_have_a_row_each(corpus: str, tmp_path: Path) -> None:
    prefixes = 'quantization = ["8-bit"]\nfragments = [{ mode = "prefix", tokens = [4, 16, 500] }]'
    _, _, rows = rows_of(tmp_path, corpus + prefixes)
    assert not rows.duplicated(["record_id", "author", "prefix_tokens"]).any()
    measured = rows[rows["kl"].notna()]
    assert {4, 16} <= set(measured["prefix_tokens"])
    assert (measured["n_predicted"] == measured["prefix_tokens"] - 1).all()
    assert "shorter_than_prefix" in set(rows[rows["prefix_tokens"] == 500]["null_reason"])


def test_a_model_of_which_nothing_is_quantized_is_unsupported_row_by_row(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.integrations.replace_with_bnb_linear", lambda model, *_, **__: model)
    _, _, rows = rows_of(tmp_path, corpus + 'quantization = ["none", "4-bit"]')
    refused, itself = (rows[rows["quantization"] == name] for name in ("4-bit", "none"))
    assert set(refused["status"]) == {"unsupported"}
    assert refused["error_message"].str.contains("bitsandbytes packed none of its weights").all()
    assert refused[NUMBERS].isna().all(axis=None)
    same = [column for column in FRAGMENT if column != "null_reason"]
    pd.testing.assert_frame_equal(
        *(one.sort_values(["record_id", "author"])[same].reset_index(drop=True) for one in (refused, itself))
    )


def test_out_of_memory_is_a_row_that_a_larger_slot_tries_again(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "close.toml").write_text(SPEC + corpus + 'quantization = ["none"]')
    spec = with_defaults(
        read_spec(str(tmp_path / "close.toml"), [], BENCHMARKS), Defaults(device="cpu", cpu_cores=1), BENCHMARKS
    )
    task = plan_of(spec, BENCHMARKS).task(0)
    benchmark, factors = BENCHMARKS["fidelity"], FidelityFactors(**dict(task.factors))  # type: ignore[arg-type]
    assert benchmark.escalates_on_oom
    held = benchmark.load(factors, ("cpu",))

    def full(texts: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    assert held.pair.observer is held.pair.performer, "nothing is to be quantized: one load is enough"
    monkeypatch.setattr(held.pair, "token_fidelity", full)
    rows = list(benchmark.rows(held, task, factors))
    without_memory = [row for row in rows if OOM_ITEM in row]
    assert {(row["status"], row["null_reason"]) for row in without_memory} == {("oom_host", "out_of_memory")}
    assert rows[-len(without_memory) :] == without_memory, "the task's last row says how it ended"
    benchmark.unload(held)
    assert not hasattr(held, "pair")


def test_the_weights_of_both_models_count() -> None:
    def weights(quantization: Any, *devices: str) -> Weights | None:
        factors = FidelityFactors(device="gpu", cpu_cores=1, model=TINY, quantization=quantization, dtype="float16")
        return BENCHMARKS["fidelity"].weights(factors, devices)

    one = {"cuda:0": [TINY]}
    assert weights("8-bit", "cuda:0") == Weights("8-bit", "float16", one, one)
    assert weights("none", "cuda:0") == Weights("none", "float16", one, {}), "one model, run once"
    assert weights("4-bit", "cuda:0", "cuda:1") == Weights("4-bit", "float16", {}, {}), "shared out, not whole"


MISTAKES = {
    "nothing to compare with": ("", ["needs factors.quantization, a list of levels"]),
    "unknown bits": ('quantization = ["2-bit"]', ["factors.quantization[0]", "2-bit", "4-bit"]),
    "a pair": ('quantization = ["4-bit"]\npair = [["a", "b"]]', ["pair", "model"]),
    "long prefixes": (
        'quantization = ["4-bit"]\nfragments = [{ mode = "prefix", tokens = [600] }]',
        ["prefixes of up to 600 tokens, and max_tokens cuts texts at 512: raise max_tokens"],
    ),
    "no mode": ('quantization = ["4-bit"]\nfragments = [{ words = 3 }]', ["factors.fragments[0]", "mode"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_spec_is_told(mistake: str, tmp_path: Path) -> None:
    line, expected = MISTAKES[mistake]
    (tmp_path / "close.toml").write_text(SPEC + line)
    with pytest.raises(UserError) as caught:
        rows_of(tmp_path, line)
    for part in expected:
        assert part in str(caught.value)
    assert not re.search("pydantic|Traceback", str(caught.value))
