"""Compare two runs: cell by cell, by the ratio of their values, and over all cells.

Welch's t test on log values for each cell, and one for the mean of all log ratios; Holm's adjustment over all of them,
of all sweeps. Invariant: every cell of both runs is in the table of cells, or in that of cells of one run only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from analysis.cell_averages import headlines, is_scored
from analysis.column_titles import title_of
from analysis.comparison.cells import Sample, label, matching_factors, samples, told_apart
from analysis.comparison.earlier_cells import earlier_cells, not_compared
from analysis.comparison.environments import environment_differences
from analysis.comparison.scores import compare_scores, score_of
from analysis.conclusions.contrast_tests import welch
from analysis.directions import comparative, direction_of
from analysis.load import RunRows, SweepRows
from analysis.multiplicity import holm

ALPHA: Final = 0.05
LIMIT: Final = (
    "Two finished runs differ in time and order too, and no statistics can take that away: the machine may have been "
    "warmer, busier or newer. To compare without that, make the thing compared a factor of one sweep; its tasks are "
    "then measured in random order, side by side."
)
COLUMNS: Final = (
    *("sweep", "metric", "cell", "n_run", "n_against", "mean_run", "mean_against", "ratio", "ratio_low", "ratio_high"),
    *("difference", "difference_low", "difference_high", "slowdown", "p", "p_adjusted", "significant", "verdict"),
    "reason",
)


@dataclass(frozen=True)
class Comparison:
    """Outcome of comparing a run with an earlier one."""

    environments: pd.DataFrame
    """Differences of the environments: what, run, against."""
    cells: pd.DataFrame
    """A row per matched cell (see COLUMNS), then one 'all cells' per sweep and metric: the geometric mean. ratio is the
    run's mean log value over the other's. slowdown: 0.05 means 1.05 times the time, or the time of a unit at that
    rate. Scores of texts have a difference instead of a ratio."""
    only: pd.DataFrame
    """Cells, and sweeps, of one run only: sweep, cell, only_in."""
    noise: pd.DataFrame
    """Noise floor from rounds of the same run: sweep, metric, run, rounds (pairs compared), floor (95% of the pairs
    of rounds of a cell differ by less than this share)."""
    earlier: pd.DataFrame
    """Cells of the earlier run: sweep, cell, why_not (the reason where a cell could not be compared, else null)."""
    sentences: tuple[str, ...]

    def slower(self, above: float) -> pd.DataFrame:
        """Return the cells that are slower by more than a share as estimated, and significantly slower."""
        single = self.cells[self.cells["cell"] != ALL]
        return single[single["significant"].astype(bool) & (single["slowdown"].astype(float) > above)]

    @property
    def is_decided(self) -> bool:
        """Tell whether the time, rate or size of some cell was tested: only then can a slowdown be ruled out."""
        single = self.cells[self.cells["cell"] != ALL]
        return bool((single["p"].notna() & single["slowdown"].notna()).any())


ALL: Final = "all cells"


def compare_runs(run: RunRows, against: RunRows) -> Comparison:
    """Compare the sweeps that both runs have, by the first headline metric that has a better side."""
    earlier = {sweep.name: sweep for sweep in against.sweeps}
    own = {sweep.name for sweep in run.sweeps}
    found = _Found()
    for sweep in run.sweeps:
        if sweep.name in earlier:
            _compare_sweep(sweep, earlier[sweep.name], found)
        else:
            found.only.append({"sweep": sweep.name, "cell": "every cell", "only_in": "run"})
    for sweep in against.sweeps:
        if sweep.name not in own:
            found.only.append({"sweep": sweep.name, "cell": "every cell", "only_in": "against"})
            factors = matching_factors(sweep, sweep)
            found.earlier.extend(earlier_cells(None, sweep, factors, told_apart(sweep, sweep, factors)))
    cells = pd.DataFrame(found.records, columns=list(COLUMNS))
    cells["p_adjusted"] = holm(cells["p"].astype(float))
    cells["significant"] = cells["p_adjusted"] <= ALPHA
    cells["verdict"] = [_verdict(cell) for cell in cells.to_dict("records")]
    environments = environment_differences(run, against)
    of_earlier = pd.DataFrame(found.earlier, columns=["sweep", "cell", "why_not"], dtype=object)
    floors = pd.DataFrame(found.noise, columns=["sweep", "metric", "run", "rounds", "floor"])
    return Comparison(
        environments=environments,
        cells=cells,
        only=pd.DataFrame(found.only, columns=["sweep", "cell", "only_in"]),
        noise=floors,
        earlier=of_earlier,
        sentences=tuple(_sentences(environments, cells, found.only, floors, not_compared(of_earlier))),
    )


@dataclass(frozen=True)
class _Found:
    """Records of the tables of a comparison, while its sweeps are compared."""

    records: list[dict[str, Any]] = field(default_factory=list)
    only: list[dict[str, Any]] = field(default_factory=list)
    noise: list[dict[str, Any]] = field(default_factory=list)
    earlier: list[dict[str, Any]] = field(default_factory=list)


def _compare_sweep(run: SweepRows, against: SweepRows, tables: _Found) -> None:
    """Add the comparison of one sweep to the tables."""
    factors = matching_factors(run, against)
    shown = told_apart(run, against, factors)
    if is_scored(run):
        scores = compare_scores(run, against, factors, shown)
        tables.records.extend(scores)
        tables.earlier.extend(earlier_cells(run, against, factors, shown, scores, score_of(against, against)))
        return
    metric = _metric(run, against)
    if metric is None:
        tables.only.append({"sweep": run.name, "cell": "no metric with values in both runs", "only_in": "neither"})
        tables.earlier.extend(earlier_cells(run, against, factors, shown))
        return
    ours, theirs = samples(run, factors, metric), samples(against, factors, metric)
    for side, keys in (("run", ours.keys() - theirs.keys()), ("against", theirs.keys() - ours.keys())):
        tables.only.extend({"sweep": run.name, "cell": label(factors, shown, key), "only_in": side} for key in keys)
    matched = [(key, ours[key], theirs[key]) for key in ours if key in theirs]
    found = [_compare_cell(a, b, metric) | {"cell": label(factors, shown, key)} for key, a, b in matched]
    tables.earlier.extend(earlier_cells(run, against, factors, shown, found, metric))
    found += _over_all(found, metric)
    tables.records.extend({"sweep": run.name, "metric": metric} | record for record in found)
    for side, cells in (("run", ours), ("against", theirs)):
        floors = _noise(list(cells.values()))
        tables.noise.extend({"sweep": run.name, "metric": metric, "run": side} | floor for floor in floors)


def _metric(run: SweepRows, against: SweepRows) -> str | None:
    """Return the first headline metric with a better side and with values in both runs."""
    usable = (name for name in [*headlines(run), "duration_s"] if direction_of(name) is not None)
    return next((m for m in usable if all(m in s.ok and s.ok[m].notna().any() for s in (run, against))), None)


def _compare_cell(ours: Sample, theirs: Sample, metric: str) -> dict[str, Any]:
    """Return ratio, interval and p of one cell; a reason instead of p where nothing can be tested."""
    record: dict[str, Any] = {"mean_run": ours.mean, "mean_against": theirs.mean, "p": np.nan, "reason": None}
    if ours.logs is None or theirs.logs is None:
        counts = {"n_run": ours.n, "n_against": theirs.n}
        return record | counts | {"reason": "values that are not positive have no ratio"}
    n = np.array([len(ours.logs), len(theirs.logs)])
    log_ratio = float(ours.logs.mean() - theirs.logs.mean())
    record |= {"n_run": n[0], "n_against": n[1], "ratio": np.exp(log_ratio), "slowdown": _slowdown(log_ratio, metric)}
    if n.min() < 2:
        return record | {"reason": "too few to tell: n = 1"}
    spread = np.array([ours.logs.var(ddof=1), theirs.logs.var(ddof=1)]) / n
    if np.sqrt(spread.sum()) < 1e-12:
        return record | {"reason": "the repetitions gave equal values: nothing to test"}
    error, df, p = welch(log_ratio, spread.sum(), (spread**2 / (n - 1)).sum())
    beside = ours.beside + theirs.beside
    reason = f"{beside} rows were measured beside other work" if beside else None
    moments = {"_log": log_ratio, "_var": float(spread.sum()), "_df": float((spread**2 / (n - 1)).sum())}
    return record | _interval(log_ratio, float(error), float(df)) | moments | {"p": float(p), "reason": reason}


def _interval(log_ratio: float, error: float, df: float) -> dict[str, float]:
    half_width = stats.t.ppf((2 - ALPHA) / 2, df) * error
    return {"ratio_low": np.exp(log_ratio - half_width), "ratio_high": np.exp(log_ratio + half_width)}


def _slowdown(log_ratio: float, metric: str) -> float:
    """Return by which share more time a unit takes: of a rate, the time of one unit counts."""
    direction = direction_of(metric)
    return float(np.exp(-log_ratio if direction and direction.sign > 0 else log_ratio) - 1)


def _over_all(found: Sequence[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return the geometric mean of the ratios of all tested cells, with its interval."""
    tested = [record for record in found if "_var" in record]
    if len(tested) < 2:
        return []
    log_ratio, count = float(np.mean([record["_log"] for record in tested])), len(tested)
    error, df, p = welch(log_ratio, sum(r["_var"] for r in tested) / count**2, sum(r["_df"] for r in tested) / count**4)
    n = {name: sum(record[name] for record in tested) for name in ("n_run", "n_against")}
    own = {"cell": ALL, "ratio": np.exp(log_ratio), "slowdown": _slowdown(log_ratio, metric), "p": float(p)}
    return [n | own | _interval(log_ratio, float(error), float(df)) | {"reason": None}]


def _noise(cells: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the noise floor of a run whose cells were measured in several rounds."""
    pairs = [abs(a - b) for cell in cells for a, b in combinations(cell.rounds, 2)]
    return [{"rounds": len(pairs), "floor": float(np.exp(np.quantile(pairs, 0.95)) - 1)}] if pairs else []


def _verdict(cell: dict[Any, Any]) -> str:
    """Return a word for the outcome of one cell."""
    if np.isnan(cell["p"]):
        return "not tested"
    if not cell["significant"]:
        return "no difference shown"
    if pd.isna(cell["slowdown"]):
        return "higher" if cell["difference"] > 0 else "lower"
    return comparative(cell["metric"], better=cell["slowdown"] < 0)


def _sentences(
    environments: pd.DataFrame, cells: pd.DataFrame, only: Sequence[Any], noise: Any, lost: str
) -> Iterator[str]:
    """Yield what a reader must know, the environment first."""
    named = ", ".join(environments["what"].head(12))
    yield f"The environments differ in {named}." if named else "The environments of both runs are the same."
    single, all_cells = cells[cells["cell"] != ALL], cells[cells["cell"] == ALL]
    counts = single["verdict"].value_counts()
    if len(single):
        yield f"Of {len(single):,} cells: {', '.join(f'{count:,} {verdict}' for verdict, count in counts.items())}."
    for row in all_cells.to_dict("records"):
        yield (
            f"{row['sweep']}: {title_of(row['metric'])} over all cells is {row['ratio']:.3f} times that of the earlier "
            f"run (95% interval {row['ratio_low']:.3f} to {row['ratio_high']:.3f}): {row['verdict']}."
        )
    for row in noise.to_dict("records"):
        yield (
            f"{row['sweep']}, {row['run']}: rounds of the same cell differ by up to {row['floor']:.1%} (95% of "
            f"{row['rounds']:,} pairs of rounds); a difference below that may be noise."
        )
    scores = single[single["difference"].notna()]
    if len(scores):
        yield "Scores are compared text by text, where both runs scored the same text (text_sha256)."
    if only:
        yield f"{len(only):,} cells or sweeps are in one run only and are not compared."
    if lost:
        yield lost
    yield LIMIT
