"""Statistics by record against scipy and statsmodels, and against a bootstrap of records."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from analysis.multiplicity import holm
from analysis.sections.scores.by_record import difference, mean_by_record, record_numbers
from analysis.thresholds.clustered_auroc import auroc_by_record, clustered_aurocs, compared, separation
from analysis.thresholds.delong import delong, p_of_difference


def texts(records: int, fragments: int, shift: float, common: float, seed: int = 0) -> pd.DataFrame:
    """Texts whose scores share the deviation of their record."""
    draw = np.random.default_rng(seed)
    own = draw.normal(size=records)
    rows = [
        (f"r{record}", is_human, fragment, common * own[record] + draw.normal() - shift * (not is_human))
        for record in range(records)
        for is_human in (True, False)
        for fragment in range(fragments)
    ]
    return pd.DataFrame(rows, columns=["record_id", "is_human", "fragment_index", "score"])


def of_class(frame: pd.DataFrame, human: bool) -> Any:
    return frame.loc[frame["is_human"] == human, "score"].to_numpy()


def test_one_text_a_record_gives_the_tests_of_scipy() -> None:
    frame = texts(30, 1, 0.8, 1.0)
    found = difference(frame)
    human, machine = of_class(frame, True), of_class(frame, False)
    paired = stats.ttest_rel(human, machine)
    assert found.p_paired == pytest.approx(paired.pvalue)
    assert found.p_welch == pytest.approx(stats.ttest_ind(human, machine, equal_var=False).pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(paired.confidence_interval()))
    assert (found.pairs, found.paired_records, found.records) == (30, 30, 30)


def test_cohens_d_has_the_pooled_deviation() -> None:
    frame = texts(40, 2, 1.0, 0.5).iloc[:-20]
    human, machine = of_class(frame, True), of_class(frame, False)
    pooled = ((len(human) - 1) * human.var(ddof=1) + (len(machine) - 1) * machine.var(ddof=1)) / (len(frame) - 2)
    assert difference(frame).cohens_d == pytest.approx((human.mean() - machine.mean()) / pooled**0.5)


def test_the_interval_is_that_of_clustered_least_squares() -> None:
    frame = texts(25, 3, 0.5, 1.5).sample(frac=0.8, random_state=1)
    record = record_numbers(frame)
    model = sm.OLS(frame["score"].to_numpy(), sm.add_constant(frame["is_human"].to_numpy(float)))
    fitted = model.fit(cov_type="cluster", cov_kwds={"groups": record, "use_correction": False, "df_correction": True})
    records = len(np.unique(record))
    half = stats.t.ppf(0.975, records - 1) * fitted.bse[1] * (records / (records - 1)) ** 0.5
    found = difference(frame)
    assert (found.low, found.high) == pytest.approx((fitted.params[1] - half, fitted.params[1] + half))


def test_texts_of_one_record_count_as_one() -> None:
    """The same texts three times over say nothing new; taken one by one they would."""
    frame = texts(20, 1, 0.3, 0.0)
    copies = [frame.assign(fragment_index=number) for number in range(3)]
    once, thrice = difference(frame), difference(pd.concat(copies))
    assert (thrice.low, thrice.p_welch, thrice.p_paired) == pytest.approx((once.low, once.p_welch, once.p_paired))
    record = record_numbers(frame)
    triple = mean_by_record(np.tile(frame["score"], 3), np.tile(record, 3))
    assert triple == pytest.approx(mean_by_record(frame["score"].to_numpy(), record))


def test_only_texts_with_one_place_in_one_record_are_paired() -> None:
    frame = texts(10, 2, 0.5, 1.0)
    human_only = frame["is_human"] | (frame["fragment_index"] == 1)
    assert difference(frame[human_only]).pairs == 10
    moved = frame.assign(start_word=np.where(frame["is_human"], 0, 7))
    assert (difference(moved).pairs, difference(moved).p_paired) == (0, None)


def test_one_author_alone_has_a_mean_and_nothing_else() -> None:
    frame = texts(10, 1, 0.5, 1.0)
    found = difference(frame[frame["is_human"]])
    assert found.mean_human == pytest.approx(of_class(frame, True).mean())
    assert (found.mean_synthetic, found.difference, found.low, found.p_welch) == (None, None, None, None)


def test_the_auroc_of_independent_texts_is_delongs() -> None:
    draw = np.random.default_rng(0)
    values, human = np.round(draw.normal(size=(3, 90)), 1), np.arange(90) % 3 > 0
    values[:, ~human] += 0.7
    found, known = clustered_aurocs(values, human, np.arange(90)), delong(values[:, human], values[:, ~human])
    assert found.values_S == pytest.approx(known.values_S)
    assert found.covariance_SS == pytest.approx(known.covariance_SS)
    table = compared(found, ["a", "b", "c"])
    assert table["p"].iloc[0] == pytest.approx(p_of_difference(known, 0, 1))
    assert table["p_holm"].to_numpy() == pytest.approx(holm(table["p"]))


def test_the_auroc_of_dependent_texts_is_that_of_one_score_alone() -> None:
    frame = texts(40, 3, 1.0, 1.0)
    values, human, record = frame["score"].to_numpy(), frame["is_human"].to_numpy(), record_numbers(frame)
    auroc, error = auroc_by_record(-values, human, record)
    found = clustered_aurocs([-values, values], human, record)
    assert (found.values_S[0], found.covariance_SS[0, 0]) == pytest.approx((auroc, error**2))
    assert found.values_S[1] == pytest.approx(1 - auroc)  # not turned round


def test_the_variance_of_a_difference_is_that_of_drawing_records_again() -> None:
    frame = texts(80, 3, 1.0, 1.5)
    draw = np.random.default_rng(3)
    scores = np.array([-frame["score"], -frame["score"] + draw.normal(size=len(frame))])
    human, record = frame["is_human"].to_numpy(), record_numbers(frame)
    found = clustered_aurocs(scores, human, record)
    of_record = [np.flatnonzero(record == number) for number in range(80)]
    drawn = []
    for _ in range(400):
        rows = np.concatenate([of_record[number] for number in draw.integers(0, 80, 80)])
        own = delong(scores[:, rows][:, human[rows]], scores[:, rows][:, ~human[rows]]).values_S
        drawn.append(own[0] - own[1])
    covariance = found.covariance_SS
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert variance**0.5 == pytest.approx(np.std(drawn), rel=0.15)


def test_classes_that_do_not_overlap_have_no_interval() -> None:
    own = separation(clustered_aurocs([0.0, 1, 5, 6], [True, True, False, False], [0, 1, 2, 3]))
    assert own == (1.0, None, None)
