"""Perplexity against cross-perplexity: a point for each text, by author."""

from typing import Any

from analysis.canvas import PALETTE
from analysis.column_titles import title_of
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.scored import fragment_run, thinned, thinned_note
from analysis.sections.scores.setting import Setting
from analysis.sections.scores.setting_panels import MAX_SETTINGS, draw_settings, points_of_each
from analysis.sections.section import Content

_COLUMNS = ["log_ppl", "log_xppl"]


def perplexities(sweep: MeasuredSweep) -> Content | None:
    """Return the section: log-perplexity against log-cross-perplexity by author."""
    settings = fragment_run(sweep, _COLUMNS, longest=True)
    if not settings or not set(_COLUMNS) <= set(settings[0].rows):
        return None
    most = points_of_each(settings)
    points = [thinned(setting.rows.dropna(subset=_COLUMNS), most) for setting in settings[:MAX_SETTINGS]]
    if not any(map(len, points)):
        return None
    by_name = dict(zip((setting.name for setting in settings), points, strict=False))

    def draw(axis: Any, setting: Setting) -> None:
        _draw(axis, by_name[setting.name])

    note = thinned_note(sum(map(len, points)), sum(len(setting.rows) for setting in settings[:MAX_SETTINGS]))
    caption = f"Log-perplexity against log-cross-perplexity, by author. On the dashed line the score is 1. {note}"
    drawings = draw_settings(
        settings,
        draw,
        x=title_of("log_xppl"),
        y=title_of("log_ppl"),
        name=f"{sweep.file_name}-perplexities",
        caption=caption,
    )
    return Content(drawings=drawings)


def _draw(axis: Any, points: Any) -> None:
    for number, is_human in enumerate((True, False)):
        of_author = points[points["is_human"] == is_human]
        axis.plot(
            of_author["log_xppl"],
            of_author["log_ppl"],
            ".",
            color=PALETTE[number],
            markersize=4,
            alpha=0.5,
            markeredgewidth=0,
        )
    if len(points):
        axis.axline((points["log_xppl"].mean(),) * 2, slope=1, color="#808080", linestyle="--", linewidth=1)
        axis.set_xlim(*_limits(points["log_xppl"]))
        axis.set_ylim(*_limits(points["log_ppl"]))


def _limits(values: Any) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 1
    return low - margin, high + margin
