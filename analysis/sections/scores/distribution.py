"""Histograms by author, binned on all texts: of the score, and of the length in words and tokens."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from analysis.canvas import PALETTE, STYLES, Drawing
from analysis.column_titles import capital, number, title_of
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.scored import fragment_run
from analysis.sections.scores.setting import AUTHORS, Setting
from analysis.sections.scores.setting_panels import MAX_SETTINGS, draw_settings
from analysis.sections.scores.wording import score_text
from analysis.sections.section import Content
from analysis.tables import Table
from sweeps.wording import counted

_SHARES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_BEYOND: Final = 0.0005
"""Share of the texts at each end that may lie beyond the axis. They are counted in the bins at its ends."""


def score_distribution(sweep: MeasuredSweep) -> Content | None:
    """Return the section: histogram of the score by author, and quantiles."""
    settings = fragment_run(sweep, longest=True)
    if not settings:
        return None
    drawings = histogram(settings, "score", f"{sweep.file_name}-distribution")
    return Content(drawings=drawings, tables=(quantiles(settings, ["score"]),))


def length_distribution(sweep: MeasuredSweep) -> Content | None:
    """Return the section: histograms of the length in words and in tokens by author, and quantiles."""
    settings = fragment_run(sweep, ["length_words"], longest=True)
    columns = [name for name in ("length_words", "length_tokens") if settings and settings[0].rows[name].notna().any()]
    if not columns:
        return None
    drawings: list[Drawing] = []
    for column in columns:
        shown = settings[:1] if column == "length_words" else settings
        drawings += histogram(shown, column, f"{sweep.file_name}-{column.replace('_', '-')}")
    said = "Texts that have a score. The number of words does not depend on the pair, the number of tokens does."
    return Content(sentences=(said,), drawings=tuple(drawings), tables=(quantiles(settings, columns),))


def histogram(settings: Sequence[Setting], column: str, name: str) -> tuple[Drawing, ...]:
    """Draw the share of each author's texts by a column, over √n bins (10 to 60)."""
    shown = settings[:MAX_SETTINGS]
    values = np.concatenate([setting.rows[column].dropna().to_numpy(np.float64) for setting in shown])
    if not len(values):
        return ()
    low, high = np.quantile(values, [_BEYOND, 1 - _BEYOND])
    count = min(60, max(10, int(len(values) ** 0.5 / len(shown))))
    if column.startswith("length"):
        count = int(min(count, max(1, high - low)))
    edges = np.linspace(low, high if high > low else low + 1, count + 1)

    def draw(axis: Any, setting: Setting) -> None:
        for place, is_human in enumerate((True, False)):
            own = setting.rows.loc[setting.rows["is_human"] == is_human, column].dropna().to_numpy(np.float64)
            if not len(own):
                continue
            shares = np.histogram(np.clip(own, low, high), edges)[0] / len(own)
            axis.stairs(shares, edges, fill=True, alpha=0.25, color=PALETTE[place])
            axis.stairs(shares, edges, linewidth=1.6, color=PALETTE[place], ls=STYLES[place])
        axis.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")

    beyond = int(((values < low) | (values > high)).sum())
    caption = f"{capital(_title(column))} of {counted(len(values), 'text')}, as shares of each author's texts."
    if beyond:
        said = "text beyond the axis is" if beyond == 1 else "texts beyond the axis are"
        caption += f" {beyond:,} {said} counted in the bins at its ends."
    return draw_settings(settings, draw, x=_title(column), y="share of the author's texts", name=name, caption=caption)


def quantiles(settings: Sequence[Setting], columns: Sequence[str]) -> Table:
    """Return mean, standard deviation and quantiles of some columns, by setting and author."""
    rows = []
    for column in columns:
        shown = score_text if column == "score" else number
        for setting in settings:
            for author, is_human in zip(AUTHORS, (True, False), strict=True):
                values = setting.rows.loc[setting.rows["is_human"] == is_human, column].dropna().to_numpy(np.float64)
                if len(values):
                    spread = [
                        values.mean(),
                        values.std(ddof=1) if len(values) > 1 else None,
                        *np.quantile(values, _SHARES),
                    ]
                    names = (_title(column), setting.name, author, f"{len(values):,}")
                    rows.append((*names, *map(shown, spread)))
    heads = (*(f"{share:.0%}" for share in _SHARES[:2]), "median", *(f"{share:.0%}" for share in _SHARES[3:]))
    return Table(
        title="Quantiles by author",
        headers=("quantity", "pair", "author", "texts", "mean", "sd", *heads),
        rows=tuple(rows),
        names=3,
    )


def _title(column: str) -> str:
    """Return the title of a column, as 'length (tokens)'."""
    unit = column.removeprefix("length_")
    return f"length ({unit})" if unit != column else title_of(column)
