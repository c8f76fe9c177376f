"""Notebook 03, § 2.1: model pairs and how well they tell human from synthetic text; § 2.2: the same for one pair."""

from typing import Final

import pandas as pd

from analysis.column_titles import NULL
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.box_plot import box_plot
from analysis.sections.scores.combinations import matrix, unsupported
from analysis.sections.scores.pair_statistics import comparisons, statistics
from analysis.sections.scores.ranking import ranking
from analysis.sections.scores.scored import settings_of
from analysis.sections.scores.unplaced import only_without_record, without_record
from analysis.sections.scores.wording import auroc_text, limits_text, p_text, score_text
from analysis.sections.section import Content
from analysis.tables import MAX_TABLE_ROWS, Table
from sweeps.wording import counted

_OF_TEXT: Final = ("corpus", "fragments", "prefix_tokens")
"""Columns that tell texts apart, beside those that every section has."""
HOW: Final = (
    "By record: a difference's interval takes all texts, records being its clusters (Student's t with one degree of "
    "freedom fewer than records); Welch's test compares the means of each record and author; the paired test takes the "
    "mean difference of the texts with one place in one record, prefixes of one length; p after Holm over the pairs. "
    "AUROC: Obuchowski's interval, DeLong's for clustered texts. Cohen's d: pooled standard deviation of all texts."
)


def model_benchmark(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.1: box plot, statistics of each pair, and their ranking. None for a sweep of one pair."""
    settings = settings_of(sweep, _OF_TEXT, longest=True)
    if not settings:
        return _why_none(sweep, several_pairs=True)
    if len(settings) < 2:
        return None
    table = statistics(settings)
    pairwise, said = comparisons(settings)
    tables = [_table(table, sweep.file_name)]
    if not pairwise.empty:
        tables.append(_comparison_table(pairwise, sweep.file_name))
    if without := unsupported(sweep):
        tables.append(without)
    files = {f"{sweep.file_name}-pairs": table, f"{sweep.file_name}-pair-comparisons": pairwise}
    return Content(
        sentences=(*ranking(table, pairwise), said, *without_record(sweep)),
        drawings=box_plot(settings, "score", f"{sweep.file_name}-2.1-boxes"),
        tables=tuple(tables),
        files={name: frame for name, frame in files.items() if not frame.empty},
    )


def combinations(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.1, combinations: the matrix of observers and performers. None where pairs make no matrix."""
    table = matrix(sweep)
    if table is None:
        return None
    without = unsupported(sweep)
    if without is None:
        return Content(tables=(table,))
    said = f"{counted(len(without.rows), 'pair')} without a score; the table gives the reason of each."
    return Content(sentences=(said,), tables=(table, without))


def one_pair(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.2: box plot and statistics of the pair. None for a sweep of several pairs."""
    settings = settings_of(sweep, _OF_TEXT, longest=True)
    if not settings:
        return _why_none(sweep, several_pairs=False)
    if len(settings) != 1:
        return None
    table, setting = statistics(settings), settings[0]
    has_prefixes = settings_of(sweep)[0].has_prefixes
    of_both = f"{setting.n_human:,} human and {counted(setting.n_synthetic, 'synthetic text')}"
    said = f"{of_both} of {counted(int(table['records'].iloc[0]), 'record')}."
    if has_prefixes:
        said += " Of the prefixes of a text, the longest with a score counts here."
    return Content(
        sentences=(*ranking(table, pd.DataFrame()), said, *without_record(sweep)),
        drawings=box_plot(settings, "score", f"{sweep.file_name}-2.2-boxes"),
        tables=(_table(table, sweep.file_name),),
        files={f"{sweep.file_name}-pairs": table},
    )


def _why_none(sweep: MeasuredSweep, *, several_pairs: bool) -> Content | None:
    """Return the reason why a sweep with scores has no setting; None where another section gives the reason."""
    said = only_without_record(sweep, several_pairs=several_pairs)
    return Content(sentences=said) if said else None


def _table(table: pd.DataFrame, file_name: str) -> Table:
    return Table(
        title="Human against synthetic scores",
        headers=(
            *("pair", "AUROC (95% interval)", "human − synthetic", "95% interval", "Cohen's d"),
            *("p, Welch", "p, paired", "mean human", "mean synthetic"),
            *("n human", "n synthetic", "records", "paired texts"),
        ),
        rows=tuple(
            (
                row["setting"],
                auroc_text(row["auroc"], row["auroc_low"], row["auroc_high"]),
                score_text(row["difference"]),
                limits_text(row["low"], row["high"]),
                NULL if pd.isna(row["cohens_d"]) else f"{row['cohens_d']:.2f}",
                p_text(row["p_welch_holm"]),
                p_text(row["p_paired_holm"]),
                score_text(row["mean_human"]),
                score_text(row["mean_synthetic"]),
                *(f"{row[name]:,}" for name in ("n_human", "n_synthetic", "records", "pairs")),
            )
            for row in table.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=1,
        csv=f"tables/{file_name}-pairs.csv",
        left_out=max(0, len(table) - MAX_TABLE_ROWS),
        note=HOW,
    )


def _comparison_table(pairwise: pd.DataFrame, file_name: str) -> Table:
    ordered = pairwise.sort_values("p_holm", kind="stable")
    return Table(
        title="Pairs compared: difference of AUROCs on the same texts",
        headers=("pair", "other pair", "AUROC", "AUROC of the other", "difference", "95% interval", "p (Holm)"),
        rows=tuple(
            (
                *(row["first"], row["second"], f"{row['auroc_first']:.3f}", f"{row['auroc_second']:.3f}"),
                *(f"{row['difference']:+z.3f}", _limits(row["low"], row["high"]), p_text(row["p_holm"])),
            )
            for row in ordered.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=2,
        csv=f"tables/{file_name}-pair-comparisons.csv",
        left_out=max(0, len(ordered) - MAX_TABLE_ROWS),
    )


def _limits(low: float, high: float) -> str:
    """Return the interval of a difference of AUROCs: pairs are compared only where there are enough records for one."""
    return "nothing varies" if pd.isna(low) else limits_text(low, high)
