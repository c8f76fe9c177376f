"""Thresholds of the run's `calibration.json`: what they promise, and what they do on records that fitted nothing.

Where there is no such file, the command that makes one, and the promises that the records would carry.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.calibration_file import NAME, Found, calibration_for
from analysis.sections.scores.length_bins import by_length
from analysis.sections.scores.score_by_length import length_figure
from analysis.sections.scores.scored import each_setting
from analysis.sections.scores.setting import Setting
from analysis.sections.scores.threshold_figures import held_out_figures, reliability_figure
from analysis.sections.scores.threshold_tables import frame_table, group_name, group_table
from analysis.sections.scores.wording import listed, rate_text
from analysis.sections.section import Content
from analysis.tables import Table
from analysis.thresholds.asked import percent
from analysis.thresholds.order_statistic import records_needed
from scoring.calibration import Calibration
from scoring.calibration_tables import Promise

_FPRS: Final = (0.05, 0.01, 0.001)
_CONFIDENCE: Final = 0.95
_CALIBRATE: Final = 0.6
"""Default share of the records that calibrate, of `python -m analysis.thresholds`."""
_TABLES: Final = {
    "subgroups": "Rates of subgroups on the report part",
    "left_out": "Thresholds of the other datasets and generators, and their rates on the one left out",
    "matched_lengths": "AUROC with classes of equal length, and that of length alone",
    "fitted": "Fitted thresholds, for comparison with published work: they promise nothing",
    "reliability": "Reliability of the probability on the report part",
}


def thresholding(sweep: MeasuredSweep) -> Content | None:
    """Return the section. None where no text has a score."""
    first = next(each_setting(sweep), None)
    if first is None:
        return None
    found = calibration_for(sweep)
    if found.calibration is None or found.setting is None:
        return Content(sentences=tuple(filter(None, (found.remark, *_without(sweep, first, found)))), in_short=())
    calibration, score = found.calibration, found.calibration.binding.score
    frames = {found.setting.name: by_length(found.setting, score)}
    name = f"{sweep.file_name}-thresholds"
    reliability = found.tables.get("reliability", pd.DataFrame())
    said = tuple(_sentences(calibration, found))
    return Content(
        sentences=(*said, *filter(None, [found.remark])),
        in_short=said,
        drawings=(
            *length_figure([found.setting], frames, score, f"{name}-by-length", calibration, points=False),
            *held_out_figures(calibration, name),
            *reliability_figure(reliability, f"{name}-reliability"),
        ),
        tables=(group_table(calibration), *_tables(found.tables, sweep.file_name)),
        files={f"{sweep.file_name}-thresholds-{kind}": frame for kind, frame in found.tables.items()},
    )


def _without(sweep: MeasuredSweep, setting: Setting, found: Found) -> list[str]:
    """Return what to do for a calibration of a setting, and what its records would carry."""
    human = int(setting.rows.loc[setting.rows["is_human"], "record_id"].nunique())
    calibrating = round(_CALIBRATE * human)
    carried = [fpr for fpr in _FPRS if calibrating >= records_needed(fpr, _CONFIDENCE)]
    command = _command(sweep, setting, found, min(carried, default=_FPRS[0]))
    sentences = [f"No thresholds yet: `{command}` makes the file that this section shows."]
    have = f"{human:,} records with human text, {calibrating:,} of them in the calibrate part"
    missing = [
        f"{percent(fpr)} needs {records_needed(fpr, _CONFIDENCE):,} in the calibrate part"
        for fpr in _FPRS
        if fpr not in carried
    ]
    if carried:
        sentences.append(
            f"With {have}, a false-positive rate of {percent(min(carried))} can be promised with "
            f"{percent(_CONFIDENCE)} confidence, in one length group" + (f"; {listed(missing)}." if missing else ".")
        )
    else:
        sentences.append(f"With {have}, no false-positive rate can be promised: {listed(missing)}.")
    return sentences


def _command(sweep: MeasuredSweep, setting: Setting, found: Found, fpr: float) -> str:
    """Return the command that writes the calibration into the run directory."""
    out = Path("RUN_DIR", NAME) if found.path is None else found.path
    parts = ["python", "-m", "analysis.thresholds", str(out.parent), "--sweep", sweep.rows.name]
    for column, level in setting.levels.items():
        parts += ["--where", f"{column}={'' if level is None else level}"]
    parts += ["--fpr", f"{fpr:g}", "--out", str(out)]
    return shlex.join(parts)


def _sentences(calibration: Calibration, found: Found) -> list[str]:
    """Return the promise, and every rate on the report part that breaks it."""
    binding = calibration.binding
    head = f"Thresholds of {binding.score}: synthetic text is {binding.direction}."
    if calibration.promise is None:
        return [head, f"They promise nothing: {calibration.published}"]
    promise = calibration.promise
    sentences = [
        f"{head} In each length group at most {percent(promise.fpr)} of new human texts like these are flagged, with "
        f"confidence {percent(promise.confidence)}; calibrated on {calibration.population.records:,} records."
    ]
    if not calibration.held_out:
        sentences.append("No record was held out, so nothing is known of the rates on other texts.")
    broken = [item for item in calibration.held_out if item.fpr_low is not None and item.fpr_low > promise.fpr]
    sentences += [
        f"Held out, {group_name(item)}: {rate_text(item.fpr, item.fpr_low, item.fpr_high)} of {item.n_human:,} human "
        "texts are flagged, more than promised."
        for item in broken
    ]
    if calibration.held_out and not broken:
        sentences.append(
            "Of the records held out, no group's rate is shown to lie above the promise (exact intervals)."
        )
    return [*sentences, *_broken_subgroups(found.tables, promise)]


def _broken_subgroups(tables: Mapping[str, pd.DataFrame], promise: Promise) -> list[str]:
    """Return a sentence on each subgroup whose rate lies above the promise."""
    table = tables.get("subgroups", pd.DataFrame(columns=["above_promise"]))
    broken: list[dict[Any, Any]] = table[table["above_promise"].astype(bool)].to_dict("records")
    return [
        f"{row['column']} {row['level']}: {rate_text(row['fpr'], row['fpr_low'], row['fpr_high'])} of "
        f"{row['n_human']:,} human texts are flagged, more than the promised {percent(promise.fpr)}."
        for row in broken[:10]
    ]


def _tables(tables: Mapping[str, pd.DataFrame], file_name: str) -> list[Table]:
    return [
        frame_table(tables[kind], title, f"tables/{file_name}-thresholds-{kind}.csv")
        for kind, title in _TABLES.items()
        if kind in tables and len(tables[kind])
    ]
