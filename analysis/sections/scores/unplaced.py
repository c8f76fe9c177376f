"""Rows with a score that no section of scores can use, because they do not say of what record or author they are."""

from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.setting import AUTHORS


def without_record(sweep: MeasuredSweep) -> tuple[str, ...]:
    """Return a sentence on scored rows without a record, and on those of another author; none where there are none."""
    ok = sweep.rows.ok
    if "score" not in ok:
        return ()
    has_score = ok["score"].notna()
    has_record = ok["record_id"].notna() if "record_id" in ok else has_score & False
    has_author = ok["author"].isin(AUTHORS) if "author" in ok else has_score & False
    without = int((has_score & ~has_record).sum())
    other = int((has_score & has_record & ~has_author).sum())
    found = ((without, "have no record_id"), (other, f"have no author, or another than {' and '.join(AUTHORS)}"))
    return tuple(
        f"{count:,} of {int(has_score.sum()):,} scored rows {what}: the sections of scores leave them out, and the "
        "table of averages counts them."
        for count, what in found
        if count
    )


def only_without_record(sweep: MeasuredSweep, *, several_pairs: bool) -> tuple[str, ...]:
    """Return why no scored row has a place in the sections of scores; none for a sweep of another number of pairs.

    Args:
        sweep: of which no scored row names a record and an author.
        several_pairs: True for the section of several pairs, False for that of one pair: one of the two says why.
    """
    ok = sweep.rows.ok
    pairs = int(ok["pair"].nunique()) if "pair" in ok else 0
    return without_record(sweep) if (pairs > 1) == several_pairs else ()
