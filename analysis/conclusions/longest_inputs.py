"""The longest input that fitted, by configuration and by device, and what became of longer ones. No statistics.

Knows rows of every status. Does not know effects.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from analysis.cell_factors import grouped
from analysis.conclusions.wording import listed
from analysis.level_labels import short_names
from analysis.marks import MARK
from sweeps.task_status import TaskStatus

_OUT_OF_MEMORY = tuple(status.value for status in TaskStatus if status.is_oom)
_LENGTHS = ("longest", "first_out_of_memory", "first_skipped", "shorter_out_of_memory", "first_failed")
_FAILED_AS = {
    TaskStatus.WORKER_LOST: "lost their worker",
    TaskStatus.TIMEOUT: "timed out",
    TaskStatus.ERROR: "ended with an error",
    TaskStatus.UNAVAILABLE: "found no worker",
}
_MAX_NAMED = 6
"""Devices that a sentence names; of more, the ends."""


def longest_inputs(rows: pd.DataFrame, length: str, by: Sequence[str]) -> pd.DataFrame:
    """Return the longest input that was measured, and what became of longer ones, by configuration.

    Args:
        rows: of every status.
        length: column of the input's length, such as input_words.
        by: columns such as device and model.

    Returns:
        Columns: by, longest, first_out_of_memory (the shortest longer one; null: none), first_skipped (the same, not
        tried because something smaller had run out of memory), shorter_out_of_memory (not longer than the longest, in
        another task), first_failed (the shortest longer one without a value for another reason that is a failure),
        failed_as (what became of that one, in words), finding (a sentence).
    """
    unit = length.partition("_")[2]
    known = rows.assign(**{length: rows[length].astype("float64")})
    records = [dict(zip(by, key, strict=True)) | _found(group, length, unit) for key, group in grouped(known, list(by))]
    return pd.DataFrame(records, columns=[*by, *_LENGTHS, "failed_as", "finding"])


def _found(rows: pd.DataFrame, length: str, unit: str) -> dict[str, Any]:
    """Return the longest input of one configuration, with a sentence."""
    fitted = rows.loc[rows["status"] == "ok", length].max()
    longer = rows[rows[length] > fitted] if pd.notna(fitted) else rows
    out = rows[rows["status"].isin(_OUT_OF_MEMORY)]
    failed = longer.loc[longer["status"].isin(_OUT_OF_MEMORY), length].min()
    skipped = longer.loc[longer["status"] == TaskStatus.SKIPPED_OOM, length].min()
    failures = longer[longer["status"].isin(list(_FAILED_AS))].sort_values(length, kind="stable")
    others = sorted(set(longer["status"]) - {"ok", TaskStatus.SKIPPED_OOM.value, *_OUT_OF_MEMORY, *_FAILED_AS})
    shorter = out.loc[out[length] <= fitted, length].min() if pd.notna(fitted) else None
    parts = [_on_length(fitted, failed, skipped, unit, more=", so more may fit" if failures.empty else "")]
    if pd.notna(shorter):
        parts = [f"{_words(fitted, unit)} fitted, although {shorter:,.0f} ran out of memory in another task."]
    first = failures.drop_duplicates("status")
    parts += [f"{_words(row[length], unit)} {_FAILED_AS[row['status']]}." for row in first.to_dict("records")]
    if others:
        parts.append(f"{'Longer inputs have' if pd.notna(fitted) else 'Inputs have'} no value: {', '.join(others)}.")
    beside = out.loc[out[length] == failed, "neighbours"].max() if "neighbours" in out else None
    if pd.notna(beside) and beside > 0:
        parts.append(f"{MARK} what ran out of memory ran beside other work.")
    lengths = dict(zip(_LENGTHS, (fitted, failed, skipped, shorter, failures[length].min()), strict=True))
    failed_as = None if failures.empty else _FAILED_AS[failures["status"].iloc[0]]
    return lengths | {"failed_as": failed_as, "finding": " ".join(parts)}


def _on_length(fitted: Any, failed: Any, skipped: Any, unit: str, more: str) -> str:
    if pd.isna(fitted):
        if pd.notna(failed):
            return f"already {_words(failed, unit)} ran out of memory."
        if pd.notna(skipped):
            return "no input was tried, because something smaller had run out of memory."
        return "no input was measured."
    if pd.notna(failed):
        return f"{_words(fitted, unit)} is the longest input that fitted; {failed:,.0f} ran out of memory."
    if pd.notna(skipped):
        return (
            f"{_words(fitted, unit)} is the longest input that fitted; {skipped:,.0f} was not tried, because something "
            "smaller had run out of memory."
        )
    return f"{_words(fitted, unit)} fitted; nothing longer ran out of memory{more}."


def _words(length: Any, unit: str) -> str:
    return f"{length:,.0f} {unit}"


def longest_by_level(table: pd.DataFrame, name: str, others: str, unit: str) -> str:
    """Return one sentence on the longest inputs of all levels of a factor, such as the devices, the longest first.

    Args:
        table: of longest_inputs.
        name: the factor.
        others: the other factors in words, as 'model and quantization'.
        unit: of the lengths, as 'words'.
    """
    found = sorted(grouped(table, [name]), key=lambda pair: -pair[1]["longest"].fillna(0).max())
    labels = short_names([key[0] for key, _ in found])
    devices: dict[tuple[str, str], list[str]] = {}
    for label, (_, group) in zip(labels, found, strict=True):
        devices.setdefault(_in_words(group, others, unit), []).append(label)
    texts = [
        f"{size} on {listed(known) if len(known) <= _MAX_NAMED else f'{len(known)} devices'}{rest}"
        for (size, rest), known in devices.items()
    ]
    return f"Longest input that fitted: {'; '.join(_ends(texts))}."


def _ends(texts: Sequence[str]) -> Iterator[str]:
    """Yield all texts; of many the first and the last, with the number of the others."""
    if len(texts) <= _MAX_NAMED:
        yield from texts
    else:
        yield texts[0]
        yield f"{len(texts) - 2} more between"
        yield texts[-1]


def _in_words(group: pd.DataFrame, others: str, unit: str) -> tuple[str, str]:
    """Return the lengths that fitted one level, and what became of longer ones."""
    fitted = group["longest"].dropna()
    limits = group[["first_out_of_memory", "first_skipped"]].min(axis=1)
    failed = _failed(group, unit)
    if fitted.empty:
        why = " (all ran out of memory)" if limits.notna().all() else " (nothing was measured)"
        return "nothing", why + (f", and {failed}" if failed else "")
    low, high = fitted.min(), fitted.max()
    size = _words(high, unit) if low == high else f"{low:,.0f} to {high:,.0f} {unit}, by {others},"
    return size, _none_fitted(group) + _beyond(group, limits, failed, is_one=low == high)


def _failed(group: pd.DataFrame, unit: str) -> str:
    """Return what became of longer inputs that failed for another reason than memory; '' where none did."""
    failed = group[group["first_failed"].notna()]
    if failed.empty:
        return ""
    verbs = listed(list(dict.fromkeys(failed["failed_as"])))
    if len(failed) == len(group) and failed["first_failed"].nunique() == 1:
        return f"{_words(failed['first_failed'].iloc[0], unit)} {verbs}"
    return f"some {verbs} in {len(failed)} of {len(group)} configurations"


def _none_fitted(group: pd.DataFrame) -> str:
    none = int(group["longest"].isna().sum())
    return f", and nothing in {none} of {len(group)} configurations" if none else ""


def _beyond(group: pd.DataFrame, limits: Any, failed: str, *, is_one: bool) -> str:
    """Return what became of longer inputs.

    Args:
        group: configurations of one level.
        limits: length of the shortest longer input that ran out of memory or was not tried after that; null: none.
        failed: what became of longer inputs that failed for another reason; '' for none.
        is_one: the same length is the longest everywhere.
    """
    limited, also = int(limits.notna().sum()), f", and {failed}" if failed else ""
    if group["shorter_out_of_memory"].notna().any():
        return ", although some that were not longer ran out of memory in other tasks" + also
    if not limited:
        return f", and nothing longer ran out of memory, {f'but {failed}' if failed else 'so more may fit'}"
    if limited < len(group):
        return f", and longer ones ran out of memory in {limited} of {len(group)} configurations{also}"
    if limits.nunique() == 1 and is_one:
        tried = (
            "ran out of memory"
            if group["first_out_of_memory"].notna().any()
            else "was not tried: something smaller had run out of memory"
        )
        return f" ({limits.iloc[0]:,.0f} {tried}){also}"
    return f" (longer ones ran out of memory){also}"
