"""From a run directory to a fit: the sweep that is meant, its rows, and the near-duplicates of its corpora."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from analysis.frames import plain_texts
from analysis.load import RunRows, SweepRows, read_run
from analysis.thresholds.asked import Asked
from analysis.thresholds.corpus_texts import Same, same_records
from analysis.thresholds.fitting import Fit, fit
from analysis.thresholds.settings import where
from analysis.thresholds.texts import HUMAN, REQUIRED
from sweeps.errors import UserError

_ALSO: Final = ("text_sha256", "truncated")
"""Columns that the report does not read."""


def fit_run(directory: Path, asked: Asked, sweep: str | None, conditions: Sequence[str]) -> tuple[SweepRows, Fit]:
    """Fit thresholds to a sweep of a run.

    Args:
        directory: Of the run.
        asked: The promise.
        sweep: Name of the sweep. None: the run has one sweep with scores.
        conditions: `COLUMN=VALUE`, to choose rows.

    Returns:
        The sweep, and the fit. Remarks on the sweep's files and on near-duplicates are among those of the fit.

    Raises:
        Refused: there are too few records for the promise.
        UserError: the directory, the sweep or its rows cannot be used.
    """
    chosen = _sweep(read_run(directory, _ALSO), sweep)
    try:
        rows = where(plain_texts(chosen.rows), conditions)
        same = _same(chosen, rows)
        found = fit(rows, asked, same.clusters)
        population = found.calibration.population.model_copy(update={"scripts": same.scripts})
        found = replace(found, calibration=found.calibration.model_copy(update={"population": population}))
    except UserError as error:
        error.args = (f"{directory}, sweep {chosen.name}: {error}",)
        raise
    remarks = (*chosen.remarks, *found.remarks, *([same.remark] if same.remark else []))
    return chosen, replace(found, remarks=remarks)


def _sweep(run: RunRows, name: str | None) -> SweepRows:
    """Return the sweep of that name, or the only one with scores."""
    scored = {sweep.name: sweep for sweep in run.sweeps if {*REQUIRED, "score"} <= set(sweep.rows)}
    others = [sweep.name for sweep in run.sweeps if sweep.name not in scored]
    listed = ", ".join(scored) or "none"
    if name is None and len(scored) == 1:
        return next(iter(scored.values()))
    if name in scored:
        return scored[name]
    if name in others:
        raise UserError(f"{run.directory}: sweep {name} has no scores of texts; sweeps that have: {listed}")
    if name is not None:
        raise UserError(f"{run.directory}: no sweep {name!r}; sweeps with scores of texts: {listed}")
    if not scored:
        raise UserError(
            f"{run.directory}: no sweep has scores of texts (it has {', '.join(others)}); run one of the benchmark "
            "binoculars, such as python -m sweeps.run binoculars_fragments"
        )
    raise UserError(f"{run.directory}: several sweeps have scores of texts; choose with --sweep: {listed}")


def _same(sweep: SweepRows, rows: pd.DataFrame) -> Same:
    """Return the near-duplicates among the records of the rows."""
    wanted = set(rows.loc[(rows["author"] == HUMAN).fillna(False), "record_id"].dropna().astype(str))
    levels: list[Any] = [*rows["corpus"].dropna().unique()] if "corpus" in rows else []
    return same_records(levels or sweep.description.factors.get("corpus", []), sweep.description.inputs, wanted)
