"""The score against a text's length: points, means with their intervals, and thresholds as steps."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from analysis.canvas import PALETTE, Drawing
from analysis.column_titles import NULL, capital, title_of
from analysis.in_threads import in_threads
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.calibration_file import calibration_for
from analysis.sections.scores.length_bins import FEWEST_MEAN, TEXTS_OF_BIN, by_length
from analysis.sections.scores.nulls import null_counts, null_sentence, null_table
from analysis.sections.scores.scored import SETTING, fragment_run, thinned, thinned_note
from analysis.sections.scores.setting import FEWEST_RECORDS, Setting
from analysis.sections.scores.setting_panels import MAX_SETTINGS, draw_settings, points_of_each
from analysis.sections.scores.wording import auroc_text, limits_text, score_text
from analysis.sections.section import Content
from analysis.tables import MAX_TABLE_ROWS, Table
from scoring.calibration import Calibration


def score_by_length(sweep: MeasuredSweep) -> Content | None:
    """Return the section: points, mean and bands by author, AUROC by length, and rows without a score."""
    settings = [setting for setting in fragment_run(sweep, SETTING) if setting.rows["length_tokens"].notna().any()]
    if not settings:
        return None
    names = [setting.name for setting in settings]
    frames = dict(zip(names, in_threads(partial(by_length, score="score"), settings), strict=True))
    found = calibration_for(sweep)
    known = found.calibration if found.calibration and found.calibration.binding.score == "score" else None
    table, nulls = pd.concat(frames.values(), ignore_index=True), null_counts(sweep)
    shown = (_table(table, sweep.file_name), null_table(nulls, sweep.file_name))
    return Content(
        sentences=(*_sentences(table), null_sentence(nulls)),
        drawings=length_figure(settings, frames, "score", f"{sweep.file_name}-by-length", known, points=True),
        tables=tuple(one for one in shown if one is not None),
        files={f"{sweep.file_name}-by-length": table} | ({} if nulls.empty else {f"{sweep.file_name}-nulls": nulls}),
    )


def length_figure(
    settings: Sequence[Setting],
    frames: Mapping[str, pd.DataFrame],
    score: str,
    name: str,
    calibration: Calibration | None,
    *,
    points: bool,
) -> tuple[Drawing, ...]:
    """Draw a score against the length in tokens.

    Args:
        settings: a panel for each.
        frames: tables of `length_bins.by_length`, by the setting's name.
        score: column.
        name: of the figure.
        calibration: whose thresholds are drawn as steps.
        points: texts are drawn, too.
    """
    most = points_of_each(settings) if points else 0
    shown = settings[:MAX_SETTINGS]
    drawn = {setting.name: thinned(setting.rows.dropna(subset=["length_tokens"]), most) for setting in shown}

    def draw(axis: Any, setting: Setting) -> None:
        _draw(axis, drawn[setting.name], frames[setting.name], score)
        if calibration is not None:
            _draw_thresholds(axis, calibration)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.xaxis.set_minor_formatter(lambda value, _: f"{value:,.0f}" if str(int(value))[0] in "25" else "")

    caption = (
        f"{capital(title_of(score))} by length, by author: the line is the mean of each length bin, the dark band its "
        "95% interval by record, the light band the middle 95% of the texts."
    )
    if points:
        rows = sum(len(setting.rows) for setting in shown)
        caption += " " + thinned_note(sum(map(len, drawn.values())), rows)
    if calibration is not None:
        caption += " Black steps: the threshold of each length group; dotted lines: the groups' borders."
    return draw_settings(settings, draw, x="length (tokens)", y=title_of(score), name=name, caption=caption)


def _draw(axis: Any, points: pd.DataFrame, bins: pd.DataFrame, score: str) -> None:
    for place, (author, is_human) in enumerate((("human", True), ("synthetic", False))):
        color = PALETTE[place]
        own = points[points["is_human"] == is_human]
        axis.plot(own["length_tokens"], own[score], ".", color=color, alpha=0.25, markersize=3, markeredgewidth=0)
        of_author = bins[bins["author"] == author]
        x = of_author["mean_tokens"].to_numpy("float64")
        for low, high, alpha in (("from_share", "to_share", 0.12), ("low", "high", 0.35)):
            limits = of_author[[low, high]].astype("float64")
            if low == "from_share" and limits.isna().any(axis=None):
                continue  # a band of some bins only would look like a finding
            axis.fill_between(x, limits[low], limits[high], color=color, alpha=alpha, linewidth=0)
        axis.plot(x, of_author["mean"], "-o", color=color, linewidth=1.8, markersize=4)


def _draw_thresholds(axis: Any, calibration: Calibration) -> None:
    """Draw each group's threshold as a step over its lengths, and its borders."""
    for group in calibration.groups:
        if group.min_windows is not None:
            continue
        ends = [group.min_tokens, group.max_tokens + (group.max_tokens == group.min_tokens)]
        axis.plot(ends, [group.threshold] * 2, color=PALETTE[6], linewidth=2.2, solid_capstyle="butt")
        for border in {*ends}:
            axis.axvline(border, color="#808080", linestyle=":", linewidth=0.8)


def _sentences(table: pd.DataFrame) -> list[str]:
    """Return a sentence on the AUROC of the shortest and of the longest texts of each setting."""
    sentences = []
    for name, rows in table.groupby("setting", sort=False):
        known = rows[rows["auroc"].notna()].drop_duplicates("tokens")
        if len(known) < 2:
            sentences.append(f"{name}: no AUROC by length: {_reason([*rows['tokens'].unique()], len(known))}.")
            continue
        ends = [
            f"{auroc_text(row['auroc'], row['auroc_low'], row['auroc_high'])} for {row['tokens']} tokens"
            for row in known.iloc[[0, -1]].to_dict("records")
        ]
        sentences.append(f"{name}: AUROC {ends[0]}, and {ends[1]}.")
    return sentences[:MAX_SETTINGS]


def _reason(bins: Sequence[str], known: int) -> str:
    """Return why the AUROCs of a setting's bins are not compared."""
    if len(bins) == 1:
        return (
            f"all texts are in one bin ({bins[0]} tokens); two bins need texts of different lengths, and "
            f"{2 * TEXTS_OF_BIN} texts of each author"
        )
    has = "no bin has" if not known else "one bin only has"
    return f"{has} {FEWEST_RECORDS} records of each author, of {len(bins)} bins"


def _table(table: pd.DataFrame, file_name: str) -> Table:
    """Return the table of the bins. The AUROC of a bin stands beside its human texts."""
    return Table(
        title="Score by length in tokens",
        headers=(
            "pair",
            "tokens",
            "author",
            "mean",
            "95% interval",
            "middle 95% of the texts",
            "AUROC",
            "texts",
            "records",
        ),
        rows=tuple(
            (
                *(row["setting"], row["tokens"], row["author"], score_text(row["mean"])),
                limits_text(row["low"], row["high"]),
                NULL if pd.isna(row["from_share"]) else limits_text(row["from_share"], row["to_share"]),
                auroc_text(row["auroc"], row["auroc_low"], row["auroc_high"]),
                *(f"{row['n']:,}", f"{row['records']:,}"),
            )
            for row in table.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=3,
        csv=f"tables/{file_name}-by-length.csv",
        left_out=max(0, len(table) - MAX_TABLE_ROWS),
        note=(
            f"Intervals by record; a mean of fewer than {FEWEST_MEAN} records, and an AUROC of fewer than "
            f"{FEWEST_RECORDS} of either author, is too few to tell."
        ),
    )
