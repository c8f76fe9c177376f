"""All tables of a calibration, as frames by name."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from analysis.thresholds.fitted_objectives import fitted_table
from analysis.thresholds.fitting import Fit
from analysis.thresholds.left_out import left_out_table
from analysis.thresholds.machine_probability import reliability
from analysis.thresholds.matched_lengths import matched_table
from analysis.thresholds.score_comparison import compared_scores
from analysis.thresholds.separation import auroc_table, tpr_table
from analysis.thresholds.subgroups import subgroup_table
from analysis.thresholds.views import dimensions_of
from scoring.scores import SCORES
from sweeps.errors import UserError

CORPUS_GROUP: Final = "group"
"""Column of rows that a corpus may fill: what tells subgroups apart."""


def tables_of(fit: Fit, columns: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """Return every table.

    Args:
        fit: The calibration and its texts.
        columns: Columns that tell subgroups apart, beside dataset, group, generator and decoding strategy.

    Returns:
        groups, held_out: what the file says. auroc, tpr_at_fpr, score_comparison, matched_lengths: of every score, on
        the texts that have all of them. subgroups, left_out, fitted: of the calibrated score. reliability and
        score_choice: where there are any.

    Raises:
        UserError: a column is not there, or cannot tell subgroups apart.
    """
    own = [str(name) for name in fit.rows if name not in ("record", "part", "is_human")]
    for column in columns:
        _check_group(column, fit.rows, own)
    seed, score, calibration = fit.asked.seed, fit.score, fit.calibration
    inside = fit.compared[fit.compared["group_number"] >= 0]
    dimensions = dimensions_of(inside, columns)
    wanted = dict.fromkeys(("dataset", CORPUS_GROUP, *dimensions, *columns))
    of_subgroups = [name for name in wanted if name != "length_group" and name in own]
    tables = {
        "groups": pd.DataFrame([group.model_dump() for group in calibration.groups]),
        "held_out": pd.DataFrame([item.model_dump() for item in calibration.held_out]),
        "auroc": auroc_table(inside, fit.scores, dimensions),
        "tpr_at_fpr": tpr_table(inside, fit.scores, dimensions, seed),
        "score_comparison": compared_scores(inside, fit.scores, seed),
        "matched_lengths": matched_table(inside, fit.scores, seed),
        "subgroups": subgroup_table(fit.reported, of_subgroups, fit.asked.fpr, seed),
        "left_out": left_out_table(fit.texts, score, fit.asked.fpr, fit.asked.confidence, seed=seed),
        "fitted": fitted_table(fit.texts, score, seed),
    }
    if calibration.probability is not None and len(fit.reported):
        tables["reliability"] = reliability(calibration.probability, fit.reported, score, seed)
    if fit.choice is not None:
        tables["score_choice"] = fit.choice
    return tables


def _check_group(column: str, rows: pd.DataFrame, own: Sequence[str]) -> None:
    if column not in own:
        raise UserError(
            f"--group {column}: no such column. Rows have a column of the corpus as {CORPUS_GROUP!r}, where the spec "
            f"names it in the corpus: {CORPUS_GROUP} = {column!r}. Columns of the rows: {', '.join(own)}"
        )
    if column in SCORES:
        raise UserError(f"--group {column}: a score is what the tables compare; name a column with few levels")
    try:
        pd.Series(rows[column].dropna().unique()).sort_values()
    except TypeError as error:
        raise UserError(
            f"--group {column}: its values are lists, tables, or numbers beside text, and cannot be sorted; make them "
            "text first"
        ) from error
