"""From rows to texts: those with a score, one row each, with the size by which they are grouped.

A row that has no score is left out and counted. Of a text that was cut into windows one row is left: the most extreme
value of each score over its windows, because a text is flagged as soon as one of its windows is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from analysis.thresholds.settings import Settings, hashable
from scoring.scores import SCORES
from sweeps.errors import UserError

REQUIRED: Final = ("record_id", "author", "dataset", "generator", "length_tokens")
HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"
_ONE_TEXT: Final = ("record_id", "author", "dataset", "generator", "cell_id", "corpus", "iteration", "round")
"""Columns of which all windows of a text have one value. Windows of several cells never make one text."""
Kind = Literal["tokens", "windows", "prefixes"]
"""What `size` counts."""


@dataclass(frozen=True)
class Texts:
    """Texts with a score.

    Columns of the frame: those of the rows, and is_human, size (tokens, or windows of the text), shortest and longest
    (tokens; of a text in windows those of its windows).
    """

    frame: pd.DataFrame
    kind: Kind
    remarks: tuple[str, ...]
    """Sentences on the rows that were left out, or that are not what one might think."""


def scores_in(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the scores with a direction of which the rows hold values."""
    return tuple(name for name, kind in SCORES.items() if kind.direction and name in rows and rows[name].notna().any())


def texts_of(rows: pd.DataFrame, scores: Sequence[str], settings: Settings) -> Texts:
    """Return the texts that have every one of these scores.

    Raises:
        UserError: a column is missing, or no row has a score.
    """
    if missing := [name for name in (*REQUIRED, *scores) if name not in rows]:
        raise UserError(
            f"columns are missing: {', '.join(missing)}; rows of the binoculars benchmark have {', '.join(REQUIRED)} "
            "and the scores (those of the panel where the sweep has panel = true)"
        )
    kept, remarks = _scored(rows, scores)
    kind: Kind = "windows" if settings.mode == "window" else "prefixes" if _has_prefixes(kept) else "tokens"
    frame = _one_row_a_text(kept, scores) if kind == "windows" else kept
    if kind != "windows":
        lengths = frame["length_tokens"]
        size = frame["prefix_tokens"].astype("int64") if kind == "prefixes" else lengths
        frame = frame.assign(size=size, shortest=lengths, longest=lengths)
    return Texts(frame.reset_index(drop=True), kind, tuple(remarks))


def _scored(rows: pd.DataFrame, scores: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of texts that have the scores, with is_human, and sentences on the others."""
    remarks: list[str] = []
    length = pd.to_numeric(rows["length_tokens"], errors="coerce").astype("float64")
    values = rows[[*scores]].apply(pd.to_numeric, errors="coerce").astype("float64")
    tests: tuple[tuple[str, Any], ...] = (
        ("have a status other than ok", rows["status"] == "ok" if "status" in rows else pd.Series(True, rows.index)),
        ("name no author, or another than human and synthetic", rows["author"].isin((HUMAN, SYNTHETIC))),
        ("name no record", rows["record_id"].notna()),
        (f"have no value of {', '.join(scores)}", np.isfinite(values).all(axis=1) & (length >= 1)),
    )
    keep = np.ones(len(rows), np.bool_)
    for sentence, test in tests:
        passed = test.fillna(False).to_numpy(np.bool_)
        if lost := int((keep & ~passed).sum()):
            remarks.append(f"{lost:,} of {len(rows):,} rows are left out: they {sentence}")
        keep &= passed
    if not keep.any():
        reasons = "; ".join(remarks) or "there are no rows"
        raise UserError(f"no text has a score ({reasons}); score a corpus with human texts first")
    kept = rows[keep].assign(**{name: values[name][keep] for name in scores})
    kept["length_tokens"] = length[keep].astype("int64")
    kept["record_id"] = kept["record_id"].astype(str)
    kept["is_human"] = (kept["author"] == HUMAN).to_numpy(np.bool_)
    if "truncated" in kept and (cut := int(kept["truncated"].fillna(False).astype(bool).sum())):
        were = "text was" if cut == 1 else "texts were"
        remarks.append(f"{cut:,} {were} cut at the token limit: the score is that of the beginning")
    return kept, remarks


def _has_prefixes(rows: pd.DataFrame) -> bool:
    """Tell whether the rows are of prefixes.

    Raises:
        UserError: some rows are, and others are of whole texts: a prefix would count as a text of its own.
    """
    prefixes = int(rows["prefix_tokens"].notna().sum()) if "prefix_tokens" in rows else 0
    if 0 < prefixes < len(rows):
        raise UserError(
            f"{prefixes:,} of {len(rows):,} scored rows are of prefixes (prefix_tokens), the others of whole texts: "
            "each prefix would count as a text of its own; hand over the rows of one cell"
        )
    return prefixes > 0


def _refuse_mixed(rows: pd.DataFrame, sources: Sequence[str]) -> None:
    """Refuse windows that are there several times: they would count as further windows of one text.

    Raises:
        UserError: they are there several times, or no column can tell.
    """
    if "fragment_index" not in rows:
        if "cell_id" in rows:
            return
        raise UserError(
            "columns are missing: fragment_index or cell_id: without them nobody can tell the windows of a text from "
            "those that another cell cut from it; keep both columns of the rows of the binoculars benchmark"
        )
    repeated = rows.duplicated([*sources, "fragment_index"])
    if not repeated.any():
        return
    first = rows.loc[repeated].iloc[0]
    raise UserError(
        f"{int(repeated.sum()):,} of {len(rows):,} windows are there several times, such as window "
        f"{first['fragment_index']} of record {first['record_id']!r} ({first['author']}): the rows are of several "
        "cells or corpora, or were put together twice. Keep the column cell_id, which tells cells apart, or hand over "
        "the rows of one cell, each once"
    )


def _one_row_a_text(rows: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """Return a row for each text that was cut into windows, and each cell that scored it.

    Raises:
        UserError: a window is there several times, and no column tells of which cell each is.
    """
    if "corpus" in rows:  # a table, in a frame that was not read from Parquet
        rows = rows.assign(corpus=rows["corpus"].map(hashable))
    sources = [name for name in _ONE_TEXT if name in rows]
    _refuse_mixed(rows, sources)
    order = [name for name in ("record_id", "author", "generator", "fragment_index") if name in rows]
    ordered = rows.sort_values(order, kind="stable")
    source = [ordered[name] for name in sources]
    first = ordered["start_word"].eq(0) if "start_word" in ordered else pd.Series(False, ordered.index)
    number = first.fillna(False).astype("int64").groupby(source, dropna=False).cumsum()
    texts = ordered.groupby([*source, number.rename("text")], dropna=False, sort=False)
    extremes = {name: texts[name].agg("min" if SCORES[name].direction == "lower" else "max") for name in scores}
    counted = {
        "size": texts["length_tokens"].size(),
        "shortest": texts["length_tokens"].min(),
        "longest": texts["length_tokens"].max(),
    }
    same = [name for name in ordered if name not in (*scores, *sources)]
    reduced = pd.DataFrame(texts[same].first() if same else counted).assign(**extremes, **counted)
    return reduced.drop(columns="text", errors="ignore").reset_index().drop(columns="text", errors="ignore")
