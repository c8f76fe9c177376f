"""The tables: equal to scikit-learn where it has them, and loud where a score points the other way."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score, roc_curve

from analysis import thresholds
from analysis.thresholds import auroc_table, compared_scores, fit, scored_texts, tables_of, tpr_table
from analysis.thresholds.asked import Asked
from analysis.thresholds.clustered_auroc import clustered_aurocs
from analysis.thresholds.delong import delong, p_of_difference
from analysis.thresholds.fitted_objectives import fitted_table
from analysis.thresholds.held_out import flagged
from analysis.thresholds.left_out import left_out_table
from analysis.thresholds.machine_probability import reliability
from analysis.thresholds.matched_lengths import matched_in_length, matched_table
from analysis.thresholds.order_statistic import beyond
from analysis.thresholds.roc import machine_like
from analysis.thresholds.separation import OTHER_WAY
from analysis.thresholds.subgroups import subgroup_table
from analysis.thresholds.views import ALL, COMBINATIONS
from scoring.calibration_tables import LengthGroup
from sweeps.errors import UserError
from tests.analysis.thresholds.conftest import Frames


def texts(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(is_human=rows["author"] == "human", record=rows["record_id"])


@pytest.mark.parametrize("step", [0.0, 0.1])
@pytest.mark.parametrize("score", ["score", "fast_detect"])
def test_auroc_and_tpr_are_those_of_scikit_learn(frame: Frames, score: str, step: float) -> None:
    rows = texts(frame(250, step=step, machine=-1.0))
    machine = ~rows["is_human"]
    rows["fast_detect"] = values = -rows["score"]
    found = auroc_table(rows, [score]).iloc[0]
    assert found["auroc"] == pytest.approx(roc_auc_score(machine, values))
    assert (found["method"], found["n_human"], found["records"]) == ("DeLong", 250, 250)
    false, true, _ = roc_curve(machine, values, drop_intermediate=False)
    for row in tpr_table(rows, [score], fprs=(0.05, 0.01, 0.001, 0.2)).to_dict("records"):
        assert row["tpr"] == pytest.approx(true[false <= row["fpr_asked"]].max())
        assert row["fpr"] <= row["fpr_asked"]
        assert row["fpr"] in false
        assert row["tpr_low"] < row["tpr"] <= row["tpr_high"]


def test_a_score_that_points_the_other_way_is_said_and_not_turned(frame: Frames) -> None:
    rows = texts(frame(200, machine=+2.0))
    found = auroc_table(rows, ["score"]).iloc[0]
    assert found["auroc"] < 0.1
    assert found["note"] == OTHER_WAY
    assert auroc_table(texts(frame(200)), ["score"])["note"].tolist() == [""]


def test_tables_have_every_level_and_every_combination(frame: Frames) -> None:
    rows = texts(
        pd.concat([frame(60, generators=("a", "b"), dataset="x"), frame(60, generators=("a",), dataset="y", seed=1)])
    )
    found = auroc_table(rows, ["score"])
    assert found["view"].value_counts().to_dict() == {ALL: 1, "dataset": 2, "generator": 2, COMBINATIONS: 3}
    one = found[(found["view"] == COMBINATIONS) & (found["dataset"] == "x") & (found["generator"] == "b")].iloc[0]
    own = rows[(rows["dataset"] == "x") & (rows["generator"] == "b")]
    assert one["auroc"] == pytest.approx(roc_auc_score(~own["is_human"], -own["score"]))
    assert found.iloc[0]["method"] == "DeLong by record"
    rows.loc[rows["is_human"], "generator"] = None  # human texts of their own: each generator is compared with all
    apart = auroc_table(rows.drop_duplicates(["record", "dataset", "generator"]), ["score"])
    assert apart.query("view == 'generator'")["n_human"].tolist() == [120, 120]


def test_a_class_that_is_missing_is_null(frame: Frames) -> None:
    human = texts(frame(50, machine=None))
    assert pd.isna(auroc_table(human, ["score"]).iloc[0]["auroc"])
    assert tpr_table(human, ["score"])["tpr"].isna().all()
    assert compared_scores(human.assign(entropy=0), ["score", "entropy"]).empty
    assert matched_table(human.assign(length_group="g"), ["score"])["auroc_matched"].isna().all()
    assert fitted_table(human.assign(part="calibrate"), "score").empty


def test_scores_are_compared_on_one_text_a_record(frame: Frames) -> None:
    rows = texts(frame(200, fragments=3, machine=-1.0))
    rows["fast_detect"] = -rows["score"]
    rows["entropy"] = np.random.default_rng(0).normal(size=len(rows))
    found = compared_scores(rows, ["score", "fast_detect", "entropy"])
    assert list(zip(found["first"], found["second"], strict=True)) == list(
        itertools.combinations(["score", "fast_detect", "entropy"], 2)
    )
    assert (found["n_human"] == 200).all()
    assert pd.isna(found["p"].iloc[0])
    assert (found["p_holm"].iloc[1:] < 1e-6).all()
    assert found["p_holm"].iloc[1] == pytest.approx(min(1, 2 * found["p"].iloc[1]), rel=1)


def test_scores_are_compared_by_record() -> None:
    """Human and machine text of a record share its deviation: taken as independent, p is another."""
    draw = np.random.default_rng(2)
    own = np.repeat(draw.normal(size=80), 2)
    human = np.tile([True, False], 80)
    rows = pd.DataFrame({"record": np.repeat(range(80), 2), "is_human": human, "score": own + draw.normal(size=160)})
    rows["entropy"] = draw.normal(size=160)
    found = compared_scores(rows, ["score", "entropy"]).iloc[0]
    values = np.array([machine_like(rows[name], name) for name in ("score", "entropy")])
    by_record = p_of_difference(clustered_aurocs(values, human, rows["record"]), 0, 1)
    assert found["p"] == pytest.approx(by_record)
    assert by_record == pytest.approx(0.791, abs=0.001)
    assert p_of_difference(delong(values[:, human], values[:, ~human]), 0, 1) == pytest.approx(0.809, abs=0.001)


def test_matched_classes_have_equal_lengths_and_the_table_shows_what_that_changes(frame: Frames) -> None:
    human, machine = frame(600, machine=None), frame(600, machine=0.0, seed=1)
    machine = machine[(machine["author"] == "synthetic") & (machine["length_tokens"] > 150)]
    rows = texts(pd.concat([human, machine.assign(record_id="m" + machine["record_id"])]))
    rows["score"] = -rows["length_tokens"] / 100  # a "score" that is nothing but length
    rows["length_group"] = "20–400"
    matched = matched_in_length(rows)
    by_class = matched.groupby("is_human")["length_tokens"]
    assert by_class.size().nunique() == 1
    assert by_class.mean().diff().abs().max() < 8
    found = matched_table(rows, ["score"]).iloc[0]
    assert found["auroc_unmatched"] > 0.6
    assert found["auroc_of_length"] == pytest.approx(found["auroc_unmatched"])
    assert abs(found["auroc_matched"] - 0.5) < 0.05


def test_a_subgroup_above_the_promise_is_marked(frame: Frames) -> None:
    rows = texts(frame(300, machine=None)).assign(group_number=0)
    rows["native_language"] = np.where(rows["record"] < "r000060", "other", "english")
    rows.loc[rows["native_language"] == "other", "score"] -= 0.5
    threshold = float(np.quantile(rows.loc[rows["native_language"] == "english", "score"], 0.01))
    group = LengthGroup(
        min_tokens=1, max_tokens=400, threshold=threshold, n=300, k=1, beyond=0, equal=1, expected_fpr=0.01
    )
    found = subgroup_table(flagged(rows, [group], "score", "lower"), ["native_language"], 0.05).set_index("level")
    assert found["above_promise"].to_dict() == {"all": True, "english": False, "other": True}
    assert found.loc["other", "n_human"] == 60
    assert found.loc["other", "fpr_low"] > 0.05


def test_published_thresholds_on_essays_of_other_native_languages() -> None:
    """The two published thresholds of the Falcon pair flag 26 and 6 of 91 essays: 28.6% and 6.6%."""
    rows = pd.DataFrame({"record": [f"{number}" for number in range(91)], "is_human": True, "language": "other"})
    rows = rows.assign(record_id=rows["record"])
    for flagged_texts, share, low, high in ((26, 0.286, 0.196, 0.390), (6, 0.066, 0.025, 0.138)):
        found = subgroup_table(rows.assign(flagged=rows.index < flagged_texts), ["language"], 0.0001).iloc[1]
        assert [round(found[name], 3) for name in ("fpr", "fpr_low", "fpr_high")] == [share, low, high]
        assert found["above_promise"]


def test_thresholds_of_other_datasets_and_generators_have_other_rates(frame: Frames) -> None:
    shifted = frame(400, dataset="far", seed=1)
    shifted["record_id"] = "far" + shifted["record_id"]
    shifted["score"] -= 0.4
    fitted = fit(pd.concat([frame(400, generators=("a", "b")), shifted]), Asked(0.05, by="none"))
    found = left_out_table(fitted.texts, "score", 0.05).set_index(["left_out", "level"])
    assert found.loc[("dataset", "far"), "fpr_low"] > 0.05
    assert found.loc[("dataset", "d"), "fpr"] < 0.02
    elsewhere = fitted.texts.query("part == 'calibrate' and dataset == 'd' and is_human")
    assert found.loc[("dataset", "far"), "n_elsewhere"] == elsewhere["record"].nunique()
    assert set(found.loc["generator"].index) == {"a", "b", "g"}
    few = left_out_table(fitted.texts, "score", 0.01).set_index(["left_out", "level"])
    assert few.loc[("dataset", "far"), "reason"] == "too few records elsewhere: 299 are needed"
    assert pd.isna(few.loc[("dataset", "far"), "threshold"])


@pytest.mark.parametrize("step", [0.0, 0.2])
def test_fitted_objectives_are_the_best_of_all_thresholds(frame: Frames, step: float) -> None:
    rows = texts(frame(80, step=step, machine=-1.0)).assign(part="calibrate")
    report = texts(frame(80, machine=-1.0, seed=1)).assign(part="report")
    report["record"] = "n" + report["record"]
    found = fitted_table(pd.concat([rows, report]), "score").set_index("objective")
    machine = ~rows["is_human"].to_numpy()
    cuts = [*rows["score"].unique(), 99.0]
    f1 = max(f1_score(machine, beyond(rows["score"], cut, "lower"), zero_division=0) for cut in cuts)
    accuracy = max(accuracy_score(machine, beyond(rows["score"], cut, "lower")) for cut in cuts)
    false, true, _ = roc_curve(machine, -rows["score"])
    assert found["fitted_value"].to_dict() == pytest.approx(
        {"f1": f1, "accuracy": accuracy, "youden": (true - false).max()}
    )
    for objective, threshold in found["threshold"].items():
        got = beyond(rows["score"], threshold, "lower")
        if objective == "f1":
            assert f1_score(machine, got) == pytest.approx(f1)
    assert (found["promise"] == "fitted: promises nothing").all()
    assert (found["n_human"] == 80).all()


def test_reliability_of_a_calibrated_curve_lies_on_the_diagonal(frame: Frames) -> None:
    fitted = fit(frame(6000, machine=-1.5), Asked(0.05, split=(0.5, 0.1, 0.4)))
    assert fitted.calibration.probability is not None
    table = reliability(fitted.calibration.probability, fitted.reported, "score")
    full = table[table["n_human"] + table["n_synthetic"] >= 150]
    assert len(full) >= 3
    assert (full["predicted"] - full["observed"]).abs().max() < 0.1
    assert table["n_human"].sum() == fitted.reported.query("is_human")["record"].nunique()


def test_all_tables_of_a_fit_are_there_and_a_missing_column_is_named(frame: Frames) -> None:
    rows = frame(300).assign(language="en", fast_detect=lambda table: -table["score"])
    fitted = fit(rows, Asked(0.05, score="auto", split=(0.3, 0.4, 0.3)))
    tables = tables_of(fitted, ["language"])
    assert set(tables) == {
        "groups",
        "held_out",
        "auroc",
        "tpr_at_fpr",
        "score_comparison",
        "matched_lengths",
        "subgroups",
        "left_out",
        "fitted",
        "reliability",
        "score_choice",
    }
    assert "language" in set(tables["subgroups"]["column"])
    with pytest.raises(UserError, match=r"--group native: no such column.* group = 'native'"):
        tables_of(fitted, ["native"])


def test_columns_that_cannot_tell_subgroups_apart_are_refused(frame: Frames) -> None:
    rows = frame(200).assign(mixed=[1, "a"] * 200, lists=[[1]] * 400)
    fitted = fit(rows, Asked(0.05))
    for column in ("mixed", "lists"):
        with pytest.raises(UserError, match=f"--group {column}: its values are lists"):
            tables_of(fitted, [column])
    with pytest.raises(UserError, match="--group score: a score is what the tables compare"):
        tables_of(fitted, ["score"])


def test_scores_of_several_pairs_can_be_compared_where_no_threshold_is_set(frame: Frames) -> None:
    first, second = frame(40).assign(pair='["a", "b"]'), frame(40, machine=-4.0).assign(pair='["c", "d"]')
    rows = pd.concat([first, second]).assign(status="ok", lrr=np.nan)
    comparable = scored_texts(rows, {"r000000": "x", "r000001": "x"})
    assert comparable["record"].nunique() == 39
    found = auroc_table(comparable, ["score"]).set_index("pair")
    assert found.loc['["a", "b"]', "auroc"] < found.loc['["c", "d"]', "auroc"]
    with pytest.raises(UserError, match="no score with a direction"):
        scored_texts(rows.drop(columns="score"))


def test_every_public_name_is_what_it_says() -> None:
    for name in thresholds.__all__:
        assert getattr(thresholds, name).__name__ == name
        assert getattr(thresholds, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        thresholds.other  # noqa: B018
