"""`calibrate`: what it promises, what it is bound to, and what it refuses."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.thresholds import Refused, calibrate, fit
from analysis.thresholds.asked import Asked
from scoring.calibration import Calibration
from scoring.errors import CalibrationError
from sweeps.errors import UserError
from tests.analysis.thresholds.conftest import Frames


def numbers(calibration: Calibration) -> Any:
    return calibration.model_dump(exclude={"created_at"})


def test_the_file_says_what_was_asked_for_and_on_how_many_records(frame: Frames) -> None:
    rows = frame(1000, fragments=2, generators=("a", "b"))
    found = calibrate(rows, fpr=0.05)
    assert (found.promise.fpr, found.promise.confidence) == (0.05, 0.95) if found.promise else False
    assert found.population.records == 600
    assert found.population.datasets == ("d",)
    assert found.population.generators == ("a", "b")
    assert found.population.near_duplicates is None
    assert found.population.length_tokens[0] >= 20
    for group, held_out in zip(found.groups, found.held_out, strict=True):
        assert group.n is not None
        assert 59 <= group.n <= 600
        assert group.beyond == (group.k or 0) - 1
        assert group.equal == 1
        assert group.expected_fpr == pytest.approx((group.k or 0) / (group.n + 1))
        assert 0 < held_out.n_human <= 400
        assert (held_out.tpr or 0) > 0.3
    for shorter, longer in zip(found.groups, found.groups[1:], strict=False):
        assert longer.min_tokens == shorter.max_tokens + 1
    assert Calibration.model_validate_json(found.model_dump_json()) == found


def test_the_order_and_the_types_of_the_rows_do_not_matter(frame: Frames) -> None:
    rows = frame(500, fragments=3)
    expected = numbers(calibrate(rows, fpr=0.05, split=(0.2, 0.5, 0.3)))
    shuffled = rows.sample(frac=1, random_state=1)
    others = shuffled.astype({"length_tokens": "Int32", "fragment_index": "float32", "author": "category"})
    for other in (shuffled, others, shuffled.astype({"record_id": object})):
        assert numbers(calibrate(other, fpr=0.05, split=(0.2, 0.5, 0.3))) == expected
    assert numbers(calibrate(rows, fpr=0.05, split=(0.2, 0.5, 0.3), seed=1)) != expected


def test_no_record_calibrates_and_reports(frame: Frames) -> None:
    rows = frame(300, fragments=4, correlation=0.9, generators=("a", "b"))
    fitted = fit(rows, Asked(0.05, by="none", split=(0.25, 0.5, 0.25)))
    parts = fitted.texts.groupby("record_id")["part"].unique()
    assert parts.map(len).eq(1).all()
    assert parts.explode().value_counts().to_dict() == {"calibrate": 150, "choose": 75, "report": 75}
    found = fitted.calibration
    assert found.population.records == 150
    assert found.held_out[0].n_human == 75
    assert found.probability is not None
    assert found.probability.records == 75


def test_records_without_human_text_are_shared_out_as_well(frame: Frames) -> None:
    rows = frame(300)
    rows["record_id"] = rows["author"] + rows["record_id"]
    fitted = fit(rows, Asked(0.05, by="none", split=(0.25, 0.5, 0.25)))
    counts = fitted.texts.groupby(["author", "part"]).size().unstack()
    assert counts["calibrate"].to_dict() == {"human": 150, "synthetic": 150}
    assert counts["report"].to_dict() == {"human": 75, "synthetic": 75}


def test_a_column_called_group_stays_what_it_is(frame: Frames) -> None:
    rows = frame(300).assign(group="native", part="mine", size=3)
    assert numbers(calibrate(rows, fpr=0.05)) == numbers(calibrate(frame(300), fpr=0.05))
    assert set(fit(rows, Asked(0.05)).texts["group"]) == {"native"}


def test_a_promise_is_never_rounded_to_certainty() -> None:
    assert Asked(0.07, confidence=0.99999999).promise == (
        "a false-positive rate of at most 7% with confidence 99.999999%"
    )


def test_too_few_records_are_refused_with_both_numbers(frame: Frames) -> None:
    with pytest.raises(Refused, match=r"needs 299 different records with human text.*there are 60") as caught:
        calibrate(frame(100, fragments=5), fpr=0.01)
    assert (caught.value.n, caught.value.needed) == (60, 299)
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (str(copied), copied.n, copied.needed) == (str(caught.value), 60, 299)
    with pytest.raises(Refused, match="2,995"):
        calibrate(frame(1000), fpr=0.001)
    with pytest.raises(Refused, match="group of sizes 20 to 29"):
        calibrate(frame(400), fpr=0.05, bins=(20, 30, 400))


@pytest.mark.parametrize("human_texts", [0, 3])
def test_tables_of_next_to_no_human_text_are_refused(frame: Frames, human_texts: int) -> None:
    rows = frame(200)
    kept = rows[(rows["author"] != "human") | (rows["record_id"] < f"r{human_texts:06d}")]
    with pytest.raises(Refused) as caught:
        calibrate(kept, fpr=0.05)
    assert (caught.value.n or 0) <= human_texts
    assert caught.value.needed == 59


def test_human_texts_alone_are_enough(frame: Frames) -> None:
    found = calibrate(frame(300, machine=None), fpr=0.05)
    assert all(item.n_synthetic == 0 and item.tpr is None for item in found.held_out)


def test_tables_that_cannot_be_used_are_one_sentence(frame: Frames) -> None:
    rows = frame(200)
    for change, message in (
        (rows.drop(columns="record_id"), "columns are missing: record_id"),
        (rows.drop(columns="score"), "columns are missing: score"),
        (rows.assign(score=np.nan), "400 of 400 rows are left out: they have no value of score"),
        (rows.assign(author="someone"), "name no author, or another than human and synthetic"),
        (rows.assign(status="error"), "have a status other than ok"),
        (rows.assign(fragments="{bad"), "column fragments: seen '{bad'"),
        (rows.assign(fragments='{"mode": "other"}'), "no way of cutting texts"),
        (rows.iloc[:0], "there are no rows"),
    ):
        with pytest.raises(UserError, match=message):
            calibrate(change, fpr=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fpr": 0}, "fpr is 0"),
        ({"fpr": float("nan")}, "fpr is nan"),
        ({"confidence": 1}, "confidence is 1"),
        ({"by": "words"}, "choose tokens or none"),
        ({"score": "skore"}, "'skore' is unknown; choose auto or one of score"),
        ({"score": "kl"}, "'kl' has no direction"),
        ({"score": "auto"}, "give the choose part some"),
        ({"split": (0, 0.5, 0.4)}, "sum to 0.9"),
        ({"split": (0.5, 0, 0.5)}, "nothing is left to calibrate on"),
        ({"split": (1, 1)}, "three shares"),
        ({"split": (-1, 1, 1)}, "three shares"),
        ({"split": "0,0.6,0.4"}, "three shares"),
        ({"bins": (5, 5)}, "must rise"),
        ({"bins": (5,)}, "two or more"),
        ({"bins": (5, 7.5)}, "whole numbers"),
        ({"bins": (5, float("nan"))}, "whole numbers"),
        ({"bins": (5, float("inf"))}, "whole numbers"),
        ({"bins": "5,7"}, "whole numbers"),
        ({"bins": (5, 7), "by": "none"}, "leave one of the two out"),
    ],
)
def test_arguments_that_cannot_be_are_named(frame: Frames, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        calibrate(frame(10), **({"fpr": 0.05} | options))


def test_groups_are_merged_until_each_has_enough_records(frame: Frames) -> None:
    rows = frame(1000, machine=None)
    many = calibrate(rows, fpr=0.05, split=(0, 1, 0)).groups
    assert len(many) == 8
    assert min(group.n or 0 for group in many) >= 100
    few = calibrate(rows, fpr=0.01, split=(0, 1, 0)).groups
    assert 1 < len(few) < 4
    assert min(group.n or 0 for group in few) >= 299
    for groups in (many, few):
        assert (groups[0].min_tokens, groups[-1].max_tokens) == (rows["length_tokens"].min(), 400)
        assert sum(group.n or 0 for group in groups) == 1000


def test_borders_and_one_group_can_be_asked_for(frame: Frames) -> None:
    rows = frame(1000)
    asked = calibrate(rows, fpr=0.05, bins=(50, 100, 300)).groups
    assert [(group.min_tokens, group.max_tokens) for group in asked] == [(50, 99), (100, 300)]
    alone = calibrate(rows, fpr=0.05, by="none").groups
    assert len(alone) == 1
    assert alone[0].n == 600


def test_texts_that_are_one_count_once(frame: Frames) -> None:
    rows = frame(1000, machine=None)
    clusters = {record: int(record[1:]) // 10 for record in rows["record_id"]}
    found = calibrate(rows, fpr=0.05, same=clusters, split=(0, 1, 0), by="none")
    assert found.groups[0].n == found.population.records == 100
    assert found.population.near_duplicates == 900
    assert calibrate(rows, fpr=0.05, same={}).population.near_duplicates == 0
    hashed = rows.assign(text_sha256=rows["record_id"].str[:-1], fragments='{"mode": "whole"}')
    assert calibrate(hashed, fpr=0.05, split=(0, 1, 0), by="none").groups[0].n == 100
    cut = hashed.assign(fragments='{"mode": "random"}')
    assert calibrate(cut, fpr=0.05, split=(0, 1, 0), by="none").groups[0].n == 1000


def test_the_calibration_is_bound_to_the_settings_of_the_rows(frame: Frames, tmp_path: Path) -> None:
    settings = {
        "observer": "base",
        "performer": "instruct",
        "revision": "a1, None",
        "dtype_effective": "float32",
        "quantization": "4-bit",
        "alignment": "aligned",
        "max_tokens": 512,
        "fragments": '{"mode": "random", "min_words": 10}',
    }
    rows = frame(200).assign(**settings)
    found = calibrate(rows, fpr=0.05)
    assert found.binding.model_dump() == {
        "observer": "base",
        "performer": "instruct",
        "observer_revision": "a1",
        "performer_revision": None,
        "dtype": "float32",
        "quantization": "4-bit",
        "alignment": "aligned",
        "max_tokens": 512,
        "score": "score",
        "direction": "lower",
    }
    assert found.fragments == {"mode": "random", "min_words": 10}
    unbound = calibrate(frame(200), fpr=0.05)
    assert unbound.binding.observer is None
    path = tmp_path / "c.json"
    path.write_text(unbound.model_dump_json())
    with pytest.raises(CalibrationError, match="does not say observer, performer, dtype, quantization"):
        Calibration.read(path)
    path.write_text(found.model_dump_json())
    assert Calibration.read(path) == found
    with pytest.raises(UserError, match="column dtype: seen 'float32, float16'"):
        calibrate(rows.assign(dtype_effective="float32, float16"), fpr=0.05)
    others = dict.fromkeys(settings, "other") | {"max_tokens": 256, "fragments": '{"mode": "whole"}'}
    for name, value in others.items():
        mixed = pd.concat([rows, rows.head(50).assign(**{name: value})])
        with pytest.raises(UserError, match=rf"{name}: .*\(400 rows\), .*\(50 rows\).*--where"):
            calibrate(mixed, fpr=0.05)
    failed = rows.head(50).assign(dtype_effective=None, revision=None, score=np.nan, status="error")
    assert calibrate(pd.concat([rows.assign(status="ok"), failed]), fpr=0.05).binding == found.binding


def test_each_prefix_length_is_a_group_of_the_same_records(frame: Frames) -> None:
    draw = np.random.default_rng(0)
    records = frame(400, machine=None)
    prefixes = pd.concat([records.assign(prefix_tokens=n, length_tokens=n) for n in (16, 64, 256)])
    prefixes["score"] = draw.normal(size=len(prefixes))
    reaches = prefixes["record_id"].str[1:].astype(int) < 100 + 400 * (prefixes["prefix_tokens"] < 256)
    prefixes.loc[~reaches, "score"] = np.nan
    found = calibrate(prefixes, fpr=0.05, split=(0, 1, 0))
    assert [(group.min_tokens, group.max_tokens, group.n) for group in found.groups] == [
        (16, 16, 100),
        (64, 64, 100),
        (256, 256, 100),
    ]
    remarks = fit(prefixes, Asked(0.05, split=(0, 1, 0))).remarks
    assert "600 of 900 prefixes are in no group: their text does not reach every prefix length" in remarks
    reported = calibrate(prefixes, fpr=0.05, split=(0, 0.7, 0.3)).held_out
    assert [item.n_human for item in reported] == [reported[0].n_human] * 3
    assert found.verdict(-9.0, 64) == "machine"
    assert found.verdict(-9.0, 65) == "too short to say"
    without = calibrate(prefixes, fpr=0.02, split=(0, 1, 0))
    assert [(group.min_tokens, group.n) for group in without.groups] == [(16, 400), (64, 400)]


def windows_frame() -> pd.DataFrame:
    """Rows of 300 human texts, each cut into one to three windows."""
    draw = np.random.default_rng(0)
    windows = draw.integers(1, 4, 300)
    record = np.repeat([f"r{number}" for number in range(300)], windows)
    index = np.concatenate([np.arange(count) for count in windows])
    return pd.DataFrame(
        {
            "record_id": record,
            "author": "human",
            "dataset": "d",
            "generator": None,
            "fragment_index": index,
            "start_word": index * 40,
            "length_tokens": 80,
            "fragments": '{"mode": "window", "words": 80, "step": 40}',
            "score": draw.normal(size=len(record)),
        }
    )


@pytest.mark.parametrize(
    "apart",
    [
        {"cell_id": ["one core", "two cores"]},
        {"corpus": ["a.jsonl", "b.jsonl"]},
        {"corpus": [{"path": "a.jsonl"}, {"path": "b.jsonl"}]},
        {"round": [0, 1]},
    ],
)
def test_windows_of_a_text_that_two_cells_scored_are_not_counted_together(apart: dict[str, list[Any]]) -> None:
    rows = windows_frame()
    ((column, values),) = apart.items()
    both = pd.concat([rows.assign(**{column: [value] * len(rows)}) for value in values])
    groups = calibrate(both, fpr=0.05).groups
    assert groups == calibrate(rows, fpr=0.05).groups
    assert groups[-1].max_windows == 3


def test_windows_that_nothing_tells_apart_are_refused() -> None:
    rows = windows_frame()
    with pytest.raises(UserError, match=r"625 of 1,250 windows are there several times.*Keep the column cell_id"):
        calibrate(pd.concat([rows, rows]), fpr=0.05)
    with pytest.raises(UserError, match="several times"):  # as of a row that is of an older version
        calibrate(pd.concat([rows.assign(cell_id=None), rows.assign(cell_id=None)]), fpr=0.05)
    unnumbered = rows.drop(columns="fragment_index")
    with pytest.raises(UserError, match="columns are missing: fragment_index or cell_id"):
        calibrate(pd.concat([unnumbered, unnumbered]), fpr=0.05)
    assert calibrate(unnumbered.assign(cell_id="c"), fpr=0.05).groups == calibrate(rows, fpr=0.05).groups


def test_prefixes_beside_whole_texts_are_refused(frame: Frames) -> None:
    rows = frame(400, machine=None)
    both = pd.concat([rows.assign(prefix_tokens=pd.NA), rows.assign(prefix_tokens=16)])
    with pytest.raises(UserError, match=r"400 of 800 scored rows are of prefixes .*hand over the rows of one cell"):
        calibrate(both, fpr=0.05)


def test_the_best_score_is_chosen_on_the_choose_part_alone(frame: Frames) -> None:
    rows = frame(600)
    draw = np.random.default_rng(0)
    better = np.where(rows["author"] == "human", 0.0, 6.0) + draw.normal(size=len(rows))
    rows["fast_detect"], rows["entropy"] = better, draw.normal(size=len(rows))
    found = calibrate(rows, fpr=0.05, score="auto", split=(0.2, 0.5, 0.3))
    assert found.binding.score == "fast_detect"
    alone = calibrate(rows, fpr=0.05, score="fast_detect", split=(0.2, 0.5, 0.3))
    assert numbers(found) == numbers(alone)
    with pytest.raises(Refused, match="12 records with human and 12 with machine text; 20 of each"):
        calibrate(rows, fpr=0.05, score="auto", split=(0.02, 0.5, 0.48))


def test_the_probability_is_calibrated_and_never_certain(frame: Frames) -> None:
    found = calibrate(frame(3000), fpr=0.05, split=(0.4, 0.2, 0.4))
    curve = found.probability
    assert curve is not None
    assert curve.share == 0.5
    assert 0 < min(curve.machine) < 0.1 < 0.9 < max(curve.machine) < 1
    assert list(curve.machine) == sorted(curve.machine, reverse=True)
    assert 0 < (curve.brier or 1) < 0.2
    assert calibrate(frame(3000), fpr=0.05).probability is None
    rows = frame(3000)
    few = rows[(rows["author"] == "human") | (rows["record_id"].str[-1] == "0")]
    tilted = calibrate(few, fpr=0.05, split=(0.4, 0.2, 0.4)).probability
    assert tilted is not None
    assert 0.05 < tilted.share < 0.15
    assert 0 < (tilted.brier or 1) < tilted.share * (1 - tilted.share)  # better than to answer the share every time
    assert calibrate(frame(900, machine=None), fpr=0.05, split=(0.4, 0.4, 0.2)).probability is None
