"""Trade-offs on the page: whose divergences are compared, and of one workload only."""

from pathlib import Path
from typing import Any

from analysis.load import read_run
from analysis.sections.generation import RATE
from analysis.sections.logits import RATE as RATE_OF_LOGITS
from analysis.sections.logits import conclusions
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from analysis.sections.trade_offs import best_trade_offs
from tests.analysis.conftest import Row, cell_rows, write_sweep

RATES = [8.0, 8.1, 7.9, 8.05, 7.95]


def divergences(kl: float, **columns: Any) -> list[Row]:
    """Rows of five records of the model that `cell_rows` generates with."""
    known = cell_rows([1.0])[0]
    kept = {name: known[name] for name in ("host", "device", "device_class", "model", "dtype")}
    return [
        kept
        | {"task_id": f"{kl}", "cell_id": f"{kl}", "iteration": number, "record_id": f"r{number}", "kl": kl}
        | {"status": "ok", "quantization": "4-bit", "corpus": "c", "fragments": "f", "dataset": "d"}
        | columns
        for number in range(5)
    ]


def run_of(run: Path, rows: list[Row], fidelity: list[Row]) -> MeasuredSweep:
    write_sweep(run, rows)
    if fidelity:
        write_sweep(run, fidelity, "fidelity", benchmark="fidelity")
    sweeps = read_run(run).sweeps
    return next(MeasuredSweep(rows, "g", "g", sweeps) for rows in sweeps if rows.benchmark == "generation")


def content_of(sweep: MeasuredSweep, *others: MeasuredSweep) -> Content:
    page = [rows for one in (*others, sweep) for rows in one.page]
    placed = Selection(sweep.rows).with_device_map().with_peak_memory()
    return best_trade_offs(MeasuredSweep(sweep.rows, "g", "g", page), placed, RATE, "")


def quantized() -> list[Row]:
    return cell_rows(RATES, quantization="none") + cell_rows(RATES, quantization="4-bit")


def kl_of(content: Content) -> dict[str, str]:
    """The divergence by quantization in the last table."""
    return {row[0]: row[-2] for row in content.tables[-1].rows}


def test_divergences_are_of_the_own_run_and_of_another_one_only_with_a_remark(tmp_path: Path) -> None:
    other = run_of(tmp_path / "other", quantized(), divergences(0.5))
    own = run_of(tmp_path / "own", quantized(), divergences(0.125))
    assert kl_of(content_of(own, other)) == {"none": "0", "4-bit": "0.1250"}
    lacking = run_of(tmp_path / "lacking", quantized(), [])
    content = content_of(lacking, other)
    assert kl_of(content)["4-bit"] == "0.5000"
    assert "KL divergence: of another run, other." in content.sentences


def test_divergences_of_another_dtype_or_corpus_are_not_averaged_in(run_dir: Path) -> None:
    measured = divergences(0.125) + divergences(0.5, dtype="float16") + divergences(0.75, corpus="second")
    content = content_of(run_of(run_dir, quantized(), measured))
    assert kl_of(content) == {"none": "0", "4-bit": "0.1250"}
    assert content.sentences[2] == "KL divergence: with corpus c (of 2 levels)."


def test_where_no_dtype_is_the_same_no_divergence_is_compared_and_that_is_said(run_dir: Path) -> None:
    content = content_of(run_of(run_dir, quantized(), divergences(0.5, dtype="float16")))
    assert content.sentences[1:] == (
        "KL divergence: none was measured with the model, quantization and dtype of a configuration here.",
    )


def test_a_short_prompt_does_not_beat_a_long_one(run_dir: Path) -> None:
    rows = [*quantized(), *cell_rows([20.0] * 5, prompt_words=4, cell_id="short", task_id="short")]
    content = content_of(run_of(run_dir, rows, []))
    assert content.sentences[0].startswith(
        "Best trade-offs of generation rate and peak memory of tiny-base with prompt words 32 (of 2 levels): "
    )
    assert len(content.tables[0].rows) == 2


def test_where_one_configuration_is_left_of_several_that_is_said(run_dir: Path) -> None:
    rows = [*cell_rows(RATES), *cell_rows([20.0] * 5, prompt_words=4, cell_id="short", task_id="short")]
    assert content_of(run_of(run_dir, rows, [])).sentences == (
        "Best trade-offs of generation rate and peak memory with prompt words 32 (of 2 levels): too few to tell, 1 "
        "configuration is of this workload and 2 are needed.",
    )
    assert content_of(run_of(run_dir / "one", cell_rows(RATES), [])).sentences == ()


def test_where_no_row_of_a_model_says_its_input_length_that_is_said(run_dir: Path) -> None:
    columns = ("host", "device", "device_class", "device_map", "dtype")
    known = {name: cell_rows([1.0])[0][name] for name in columns}
    rows = [
        known | {"status": "ok", "model": model, "input_words": words, RATE_OF_LOGITS: 1.0, "iteration": number}
        for number, (model, words) in enumerate([("a", None), ("b", 50)])
    ]
    write_sweep(run_dir, rows, "logits", benchmark="logits", factors={"model": ["a", "b"]})
    sweeps = read_run(run_dir).sweeps
    content = conclusions(MeasuredSweep(sweeps[0], "g", "g", sweeps))
    assert content is not None
    assert "Best trade-offs: no row says its input length." in content.sentences
