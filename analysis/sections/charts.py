"""Draw a section's figure: means of one metric, with the factors at the places that the outline names."""

from analysis.canvas import Drawing
from analysis.figure_spec import choose_figure
from analysis.plots import draw
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from analysis.tables import Table


def chart(
    sweep: MeasuredSweep, selection: Selection, number: str, *, y: str, x: str, panel: str = "", series: str = ""
) -> tuple[Drawing, ...]:
    """Return the figure of a section; none where the rows have no value of `y`.

    A factor that varies and has no place joins the series, or splits the figure.

    Args:
        sweep: whose file name begins the figure's.
        selection: the rows.
        number: of the section, for the name of the figure.
        y: metric.
        x: factor along the x axis.
        panel: factor with a panel for each level; '' leaves the choice to the rule.
        series: factor with a line for each level; '' leaves the choice to the rule.
    """
    averages = selection.average(y)
    known = {place: column for place, column in (("x", x), ("panel", panel), ("series", series)) if column}
    wanted = {place: column for place, column in known.items() if column in averages.factors}
    figure_spec = choose_figure(averages, {"y": y, **wanted}) if y in averages.metrics else None
    if figure_spec is None:
        return ()
    return tuple(draw(averages, figure_spec, f"{sweep.file_name}-{number}", selection.sweep.ok))


def content(selection: Selection, drawings: tuple[Drawing, ...] = (), tables: tuple[Table, ...] = ()) -> Content | None:
    """Return a section's content with the remarks on its rows; None where there is neither figure nor table."""
    filled = tuple(table for table in tables if table.rows)
    return Content(sentences=selection.remarks, drawings=drawings, tables=filled) if drawings or filled else None
