"""Values that several sections of a sweep share: computed once, and given back after the last section."""

from pathlib import Path
from typing import Any

import pytest

from analysis import assembly
from analysis.load import read_run
from analysis.report import write_report
from analysis.sections import conclusions
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.study import make_study


@pytest.fixture
def sweep(run_dir: Path, write: Any, cell: Any) -> MeasuredSweep:
    write(run_dir, [row for tokens in (16, 256) for row in cell([10.0, 11.0, 12.0], max_new_tokens=tokens)])
    (rows,) = read_run(run_dir).sweeps
    return MeasuredSweep(rows, "generation", "generation", (rows,))


def test_a_function_is_computed_once_until_it_is_forgotten(sweep: MeasuredSweep) -> None:
    def compute(of: MeasuredSweep) -> list[MeasuredSweep]:
        return [of]

    first = sweep.once(compute)
    assert first == [sweep]
    assert sweep.once(compute) is first
    sweep.forget()
    assert sweep.once(compute) is not first


def test_the_effects_of_a_study_are_tested_once(sweep: MeasuredSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[str] = []

    def effects(rows: Any, factors: Any, metric: str, **given: Any) -> Any:
        tested.append(metric)
        return real(rows, factors, metric, **given)

    real = conclusions.effects
    monkeypatch.setattr(conclusions, "effects", effects)
    (part,) = make_study([sweep])
    assert {made.section.number for made in part.made} >= {"2.1", "2.6, 2.9"}, "in short, and the conclusions"
    assert tested == ["generation_rate_tokens_per_s"]


def test_the_page_gives_back_what_sections_share(
    sweep: MeasuredSweep, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[MeasuredSweep] = []

    def make(sweeps: list[MeasuredSweep]) -> Any:
        study = make_study(sweeps)
        seen.extend(sweeps)
        assert all(one._shared for one in sweeps)
        return study

    monkeypatch.setattr(assembly, "make_study", make)
    write_report(run_dir)
    assert [one._shared for one in seen] == [{}]
