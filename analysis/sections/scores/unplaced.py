"""Rows with a score that no section of scores can use, because they do not say of what record or author they are."""

from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.setting import AUTHORS


def without_record(sweep: MeasuredSweep) -> tuple[str, ...]:
    """Return a sentence on scored rows without a record, and on those of another author; none where there are none."""
    ok = sweep.rows.ok
    if not {"author", "record_id", "score"} <= set(ok):
        return ()
    has_score, has_record = ok["score"].notna(), ok["record_id"].notna()
    without = int((has_score & ~has_record).sum())
    other = int((has_score & has_record & ~ok["author"].isin(AUTHORS)).sum())
    found = ((without, "have no record_id"), (other, f"have no author, or another than {' and '.join(AUTHORS)}"))
    return tuple(
        f"{count:,} of {int(has_score.sum()):,} scored rows {what}: the sections of scores leave them out, and the "
        "table of averages counts them."
        for count, what in found
        if count
    )
