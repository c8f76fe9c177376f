"""Put the page together: every run's progress, the study's sections, and a part for each sweep.

Figures and tables are written to their files as they are made. Knows which part needs which values. Does not know HTML.
"""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from analysis.auc import auc_by_cell
from analysis.canvas import Drawing
from analysis.cell_averages import is_scored
from analysis.cells_table import cells_table
from analysis.column_titles import title_of
from analysis.comparison.page_part import ComparedPart
from analysis.failures import failures
from analysis.figure_spec import FigureSpec, choose_figure
from analysis.histograms import draw_scores
from analysis.in_short import in_short
from analysis.level_labels import level_text
from analysis.load import RunRows
from analysis.meanings import meanings
from analysis.page import Page, SweepPart
from analysis.plots import draw
from analysis.progress import measured_span, progress_of, run_progress, statuses_of, together
from analysis.report_files import ReportFiles, file_name
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.order import SECTIONS
from analysis.study import NotebookPart, fitting, make_study
from analysis.surroundings import environments_of, outline, spec_of
from analysis.tables import Table, auc_table, failure_table


def assemble(runs: Sequence[RunRows], files: ReportFiles, compared: ComparedPart | None = None) -> Page:
    """Return the page of some runs. Its figures and tables are on disk afterwards.

    Args:
        runs: on the page.
        files: where figures and tables are written.
        compared: comparison of the one run with another one.
    """
    names = names_of_runs(runs)
    rows = [sweep for run in runs for sweep in run.sweeps]
    sweeps = measured_sweeps(runs, names)
    study = make_study(sweeps)
    for sweep in sweeps:
        sweep.forget()
    _write_study(study, files)
    progress = tuple(run_progress(run, name) for run, name in zip(runs, names, strict=True))
    return Page(
        title=names[0] if len(runs) == 1 else f"{len(runs)} runs: {', '.join(names)}",
        runs=progress,
        progress=together([part.progress for part in progress]),
        statuses=statuses_of(rows),
        remarks=tuple(
            f"{name}: {remark}" if len(runs) > 1 else remark
            for run, name in zip(runs, names, strict=True)
            for remark in run.remarks
        ),
        span=measured_span(rows),
        compared=compared,
        conclusions=in_short(study),
        study=study,
        sweeps=tuple(_sweep_part(sweep, files, draws=not fitting(sweep, study)) for sweep in sweeps),
        environments=environments_of([(sweep.name, sweep.rows) for sweep in sweeps]),
        meanings=meanings(),
    )


def names_of_runs(runs: Sequence[RunRows]) -> list[str]:
    """Return a name for each run, each another: that of its spec, else of its directory, else the directory's path.

    The path is unique; a run that is given twice has its number behind the path.
    """
    places = [run.directory.resolve() for run in runs]
    choices = [
        (run.name, place.name, str(place), f"{place} ({number})")
        for number, (run, place) in enumerate(zip(runs, places, strict=True), start=1)
    ]
    taken = [0] * len(runs)  # of each run, the place of its name among its choices
    while True:
        names = [names[place] for names, place in zip(choices, taken, strict=True)]
        counts = Counter(names)
        later = [min(place + (counts[name] > 1), 3) for name, place in zip(names, taken, strict=True)]
        if later == taken:
            return names
        taken = later


def measured_sweeps(runs: Sequence[RunRows], names: Sequence[str]) -> list[MeasuredSweep]:
    """Return every sweep of the runs, with a name and a file name that are unique on the page.

    Those of the published study come first, in its order.
    """
    rows = [sweep for run in runs for sweep in run.sweeps]
    several = len(runs) > 1
    benchmarks = [section.benchmark for section in SECTIONS]
    specs = [section.spec for section in SECTIONS]
    return [
        MeasuredSweep(
            rows=sweep,
            name=f"{name}/{sweep.name}" if several else sweep.name,
            file_name=file_name(f"{number}-{sweep.name}" if several else sweep.name),
            page=rows,
        )
        for number, (run, name) in enumerate(zip(runs, names, strict=True), start=1)
        for sweep in sorted(
            run.sweeps, key=lambda sweep: (_place(sweep.benchmark, benchmarks), _place(sweep.name, specs))
        )
    ]


def _place(name: str, names: Sequence[str]) -> int:
    """Return the place of a name among names; behind the last where there is no such name."""
    return names.index(name) if name in names else len(names)


def _write_study(study: Sequence[NotebookPart], files: ReportFiles) -> None:
    """Write the figures and tables of the study's sections."""
    for _, content in (pair for part in study for made in part.made for pair in made.contents):
        files.write_tables(content.files)
        for drawing in content.drawings:
            files.write_drawing(drawing)


def _sweep_part(sweep: MeasuredSweep, files: ReportFiles, *, draws: bool) -> SweepPart:
    """Write a sweep's figures and tables. Return its part of the page.

    Args:
        sweep: the rows.
        files: where its figures and tables are written.
        draws: the part has the general figure; a sweep that fits a section has that section's.
    """
    rows, averages = sweep.rows, sweep.averages
    figure_spec = choose_figure(averages, rows.description.figure) if draws else None
    tables = {"averages": averages.cells, "not-ok": failures(rows)}
    extra: list[Table] = []
    drawings, failed = drawn(sweep, figure_spec)
    if _has_scores(sweep):
        tables["separation"] = auc_by_cell(rows, averages)
        extra = [auc_table(tables["separation"], sweep.file_name)]
    files.write_tables({f"{sweep.file_name}-{kind}": table for kind, table in tables.items()})
    for drawing in drawings:
        files.write_drawing(drawing)
    cells = cells_table(averages, sweep.file_name)
    return SweepPart(
        name=sweep.name,
        benchmark=rows.benchmark,
        statuses=statuses_of([rows]),
        progress=progress_of(rows),
        replaced=rows.replaced,
        constants=tuple((title_of(name), level_text(name, level)) for name, level in averages.constants.items()),
        notes=(*averages.notes, *(figure_spec.notes if figure_spec else ()), *failed),
        tables=(cells, *extra) if cells else (),
        drawings=tuple(drawings),
        failures=failure_table(tables["not-ok"], sweep.file_name),
        inputs=outline(rows.description.inputs),
        spec=spec_of(rows),
    )


def drawn(sweep: MeasuredSweep, figure_spec: FigureSpec | None) -> tuple[list[Drawing], list[str]]:
    """Return the figures of a sweep, or a note why there are none: the page is written even if drawing fails."""
    if figure_spec is None:
        return [], []
    try:
        if _has_scores(sweep):
            return draw_scores(sweep.rows, sweep.averages, sweep.file_name), []
        return draw(sweep.averages, figure_spec, sweep.file_name, _points_of(sweep)), []
    except Exception as error:  # noqa: BLE001 - matplotlib refuses extreme values in many ways
        return [], [f"The figure could not be drawn ({type(error).__name__}: {error}); the tables hold all cells."]


def _points_of(sweep: MeasuredSweep) -> pd.DataFrame | None:
    """Return the rows to draw as points; None for texts, of which a cell has thousands."""
    return None if is_scored(sweep.rows) else sweep.rows.ok


def _has_scores(sweep: MeasuredSweep) -> bool:
    """Tell whether some text of the sweep has a score."""
    return is_scored(sweep.rows) and "score" in sweep.averages.metrics and "author" in sweep.rows.rows
