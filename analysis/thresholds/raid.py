"""Scores of a fit in the layout of RAID: `predictions.json`, and `results.json` as RAID's `run_evaluation` returns it.

RAID (arXiv 2405.07940, github.com/liamdugan/raid) flags a text whose score is at least a threshold, so scores are
turned such that machine text lies higher. RAID sets a threshold for each domain on the same texts that it counts:
unlike a calibration it promises nothing. Attacks are not known to the rows, so no split by attack is written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.thresholds.delong import delong
from analysis.thresholds.fitting import Fit
from analysis.thresholds.roc import at_fpr, machine_like

FPRS: Final = (0.05, 0.01)
"""Target rates of RAID's leaderboard."""
ALL: Final = "all"
_SPLITS: Final = {"domain": "dataset", "model": "generator", "decoding": "decoding_strategy"}
"""Column of the rows behind each split of RAID."""
_ALWAYS_ALL: Final = {"repetition_penalty": ALL, "attack": ALL}
_TOLD_APART: Final = ("record_id", "author", "generator", "fragment_index", "prefix_tokens")


@dataclass(frozen=True)
class RaidFiles:
    """RAID's files, to be written with the calibration."""

    texts: Mapping[Path, str]
    """Content by path."""
    sentence: str
    """Where the files are, how many texts are in them and how many have no score."""


def raid_of(fit: Fit, directory: Path) -> RaidFiles:
    """Return both files, which are to lie in the directory."""
    texts = fit.texts
    contents = {"predictions.json": predictions_of(texts, fit.score), "results.json": results_of(texts, fit.score)}
    named = (
        "" if texts["record_id"].is_unique else "; ids are record/author/generator/fragment, which RAID does not know"
    )
    left_out = f"; {len(fit.rows) - len(texts):,} rows are not in them" if len(fit.rows) > len(texts) else ""
    return RaidFiles(
        {directory / name: json.dumps(content, allow_nan=False) + "\n" for name, content in contents.items()},
        f"{directory}: predictions.json and results.json of {len(texts):,} texts{left_out}{named}",
    )


def predictions_of(texts: pd.DataFrame, score: str) -> list[dict[str, Any]]:
    """Return `id` and `score` of each text, higher being machine-like. A text without a score is not among them."""
    values = machine_like(texts[score], score)
    known = np.isfinite(values)
    ids = _ids(texts)[known]
    return [{"id": name, "score": float(value)} for name, value in zip(ids, values[known], strict=True)]


def results_of(texts: pd.DataFrame, score: str, fprs: Sequence[float] = FPRS) -> dict[str, Any]:
    """Return `scores`, `thresholds` and `fpr` as RAID has them.

    The rate of a target is null where the domain has too few human texts to show it (n < 1 / target), as RAID writes a
    target that is not met; for all domains together it is null as soon as it is so for one of them.
    """
    frame = _frame(texts, score)
    human = frame[frame["is_human"]]
    domains = [domain for domain in frame["domain"].drop_duplicates() if (human["domain"] == domain).any()]
    thresholds: dict[str, dict[str, float]] = {}
    reached: dict[str, dict[str, float]] = {}
    for fpr in fprs:
        for domain in domains:
            own = human.loc[human["domain"] == domain, "value"].to_numpy(np.float64)
            strictly = at_fpr(own, [], fpr).threshold
            at_least = float(np.nextafter(strictly, np.inf))
            thresholds.setdefault(str(fpr), {})[domain] = at_least
            reached.setdefault(str(fpr), {})[domain] = float((own >= at_least).mean())
    in_domains = frame[frame["domain"].isin(domains)]
    counts = human["domain"].value_counts()
    scores = [
        {**names, **_ALWAYS_ALL, "accuracy": _accuracy(machine, thresholds, counts), "auroc": _auroc(own, machine)}
        for names, own, machine in _splits(in_domains)
    ]
    return {"scores": scores, "thresholds": thresholds, "fpr": reached}


def _frame(texts: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return the texts with a score: its value, class, and the splits of RAID."""
    frame = pd.DataFrame({"value": machine_like(texts[score], score), "is_human": texts["is_human"].to_numpy(bool)})
    for split, column in _SPLITS.items():
        held = texts[column] if column in texts else pd.Series(None, texts.index, dtype=object)
        frame[split] = held.astype(object).where(held.notna(), None).to_numpy()
    frame["domain"] = frame["domain"].map(str)
    known: pd.DataFrame = frame[np.isfinite(frame["value"])]
    return known


def _splits(frame: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame, pd.DataFrame]]:
    """Yield each split with its human and its machine texts: every level of each column, and all of them."""
    human, machine = frame[frame["is_human"]], frame[~frame["is_human"]]
    for domain in (*machine["domain"].drop_duplicates(), ALL):
        own = human if domain == ALL else human[human["domain"] == domain]
        of_domain = machine if domain == ALL else machine[machine["domain"] == domain]
        for model in (*of_domain["model"].dropna().drop_duplicates(), ALL):
            of_model = of_domain if model == ALL else of_domain[of_domain["model"] == model]
            for decoding in (*of_model["decoding"].dropna().drop_duplicates(), ALL):
                chosen = of_model if decoding == ALL else of_model[of_model["decoding"] == decoding]
                yield {"domain": str(domain), "model": str(model), "decoding": str(decoding)}, own, chosen


def _accuracy(machine: pd.DataFrame, thresholds: dict[str, dict[str, float]], n_human: Any) -> dict[str, Any]:
    """Return the machine texts that are found at each target; null where human texts are too few for the target."""
    found: dict[str, Any] = {}
    for fpr, of_domain in thresholds.items():
        if any(n_human[domain] * float(fpr) < 1 for domain in machine["domain"].unique()):
            found[fpr] = None
            continue
        hits = int((machine["value"] >= machine["domain"].map(of_domain)).sum())
        found[fpr] = {"tp": hits, "fn": len(machine) - hits, "accuracy": hits / len(machine)}
    return found


def _auroc(human: pd.DataFrame, machine: pd.DataFrame) -> float:
    return float(delong(human["value"], machine["value"]).values_S[0])


def _ids(texts: pd.DataFrame) -> Any:
    """Return the record ids; with what tells texts of a record apart, where a record has several."""
    if texts["record_id"].is_unique:
        return texts["record_id"].astype(str).to_numpy(object)
    columns = [
        texts[name].astype(object).where(texts[name].notna(), "").map(str) for name in _TOLD_APART if name in texts
    ]
    return np.array(["/".join(parts).rstrip("/") for parts in zip(*columns, strict=True)], object)
