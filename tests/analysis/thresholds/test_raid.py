"""RAID's layout: ids, scores turned to machine, and results that sum what is in predictions.json."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from analysis.thresholds.asked import Asked
from analysis.thresholds.fitting import fit
from analysis.thresholds.raid import predictions_of, raid_of, results_of

Frames = Callable[..., pd.DataFrame]


def texts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(is_human=frame["author"] == "human", record=frame["record_id"])


def test_high_scores_are_machine_and_a_text_without_one_is_left_out(frame: Frames) -> None:
    rows = texts(frame(30))
    rows.loc[0, "score"] = np.nan
    predictions = predictions_of(rows, "score")
    assert len(predictions) == len(rows) - 1
    assert len({one["id"] for one in predictions}) == len(predictions)
    assert [one["score"] for one in predictions] == pytest.approx((-rows["score"]).iloc[1:].tolist())


def test_ids_are_the_records_where_each_has_one_text(frame: Frames) -> None:
    rows = texts(frame(30))
    rows["record_id"] = [f"id-{number}" for number in range(len(rows))]
    assert [one["id"] for one in predictions_of(rows, "score")] == rows["record_id"].tolist()


def test_results_count_the_texts_at_each_domains_threshold(frame: Frames) -> None:
    rows = texts(pd.concat([frame(120, dataset="a"), frame(150, dataset="b", seed=1, machine=-1.0)], ignore_index=True))
    found = results_of(rows, "score")
    value, human = -rows["score"], rows["is_human"]
    for domain in ("a", "b"):
        own = rows["dataset"] == domain
        threshold = found["thresholds"]["0.05"][domain]
        flagged = value >= threshold
        assert found["fpr"]["0.05"][domain] == pytest.approx(flagged[own & human].mean())
        assert (
            found["fpr"]["0.05"][domain]
            <= 0.05
            < (value >= value[(value < threshold) & human].max())[own & human].mean()
        )
        split = next(one for one in found["scores"] if one["domain"] == domain and one["model"] == "all")
        hits = int(flagged[own & ~human].sum())
        assert split["accuracy"]["0.05"] == {
            "tp": hits,
            "fn": int((own & ~human).sum()) - hits,
            "accuracy": hits / (own & ~human).sum(),
        }
        assert split["auroc"] == pytest.approx(roc_auc_score(~human[own], value[own]))
    keys = {"domain", "model", "decoding", "repetition_penalty", "attack", "accuracy", "auroc"}
    assert all(set(one) == keys for one in found["scores"])


def test_a_target_that_the_human_texts_cannot_show_is_null(frame: Frames) -> None:
    found = results_of(texts(frame(60)), "score")
    assert all(one["accuracy"]["0.01"] is None for one in found["scores"])
    assert all(one["accuracy"]["0.05"] is not None for one in found["scores"])


def test_both_files_hold_plain_json(frame: Frames, tmp_path: Path) -> None:
    fitted = fit(frame(150), Asked(0.05))
    files = raid_of(fitted, tmp_path / "raid")
    assert files.sentence.startswith(f"{tmp_path}/raid: predictions.json and results.json of 300 texts")
    assert "which RAID does not know" in files.sentence
    text = files.texts[tmp_path / "raid" / "predictions.json"]
    assert "NaN" not in text
    assert {tuple(one) for one in json.loads(text)} == {("id", "score")}
    assert set(json.loads(files.texts[tmp_path / "raid" / "results.json"])) == {
        "scores",
        "thresholds",
        "fpr",
    }
