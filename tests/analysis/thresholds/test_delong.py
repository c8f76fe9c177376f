"""DeLong's covariance beside hand-computed cases, the formula as it stands in the paper, and a bootstrap."""

import itertools

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.multiplicity import holm
from analysis.thresholds.clustered_auroc import auroc_by_record
from analysis.thresholds.delong import delong, interval, p_of_difference
from tests.analysis.thresholds.record_bootstrap import bootstrap_interval


def test_a_case_by_hand() -> None:
    # Human 1, 2; machine 2, 3. Pairs: 1<2, 1<3, 2=2, 2<3: (1 + 1 + ½ + 1) / 4.
    found = delong([1, 2], [2, 3])
    assert found.values_S == pytest.approx([0.875])
    # Components: machine 2 is above 1½ of 2, machine 3 above both: ¾, 1; human the same: 1, ¾. Variances 1/32 each.
    assert found.covariance_SS == pytest.approx(np.array([[1 / 32 / 2 + 1 / 32 / 2]]))


def test_the_covariance_is_that_of_the_structural_components() -> None:
    draw = np.random.default_rng(0)
    human = draw.integers(0, 6, (2, 17)).astype(float)
    machine = draw.integers(2, 9, (2, 23)).astype(float)
    psi = np.array(
        [[[(m > h) + 0.5 * (m == h) for h in human[score]] for m in machine[score]] for score in range(2)], float
    )
    of_machine, of_human = psi.mean(axis=2), psi.mean(axis=1)
    expected = np.cov(of_machine) / 23 + np.cov(of_human) / 17
    found = delong(human, machine)
    assert found.values_S == pytest.approx(psi.mean(axis=(1, 2)))
    assert found.covariance_SS == pytest.approx(expected)


def test_interval_and_difference_agree_with_a_bootstrap() -> None:
    draw = np.random.default_rng(1)
    shared = draw.normal(size=300)
    human = np.stack([shared[:150] + draw.normal(size=150) * 0.7 for _ in range(2)])
    machine = np.stack([shared[150:] + 1.2 + shift + draw.normal(size=150) * 0.7 for shift in (0, 0.2)])
    found = delong(human, machine)
    repeats = np.array(
        [
            delong(human[:, draw.integers(0, 150, 150)], machine[:, draw.integers(0, 150, 150)]).values_S
            for _ in range(800)
        ]
    )
    assert np.sqrt(np.diag(found.covariance_SS)) == pytest.approx(repeats.std(axis=0), rel=0.1)
    of_difference = found.covariance_SS @ [1, -1] @ [1, -1]
    assert np.sqrt(of_difference) == pytest.approx(np.subtract(*repeats.T).std(), rel=0.1)
    values = np.concatenate([human[0], machine[0]])
    is_human = np.arange(300) < 150
    limits = interval(float(found.values_S[0]), float(np.sqrt(found.covariance_SS[0, 0])))
    assert bootstrap_interval(values, is_human, np.arange(300), seed=0) == pytest.approx(limits, abs=0.012)


@pytest.mark.parametrize("pairs", [True, False], ids=["both classes of a record", "classes apart"])
def test_records_with_many_fragments_have_the_interval_of_a_bootstrap_over_records(pairs: bool) -> None:
    draw = np.random.default_rng(2)
    records = np.repeat(np.arange(120), 8)
    is_human = np.tile([True, False], 480) if pairs else records < 60
    values = draw.normal(size=120)[records] + draw.normal(size=960) * 0.5 - is_human
    auroc, error = auroc_by_record(values, is_human, records)
    assert auroc == pytest.approx(delong(values[is_human], values[~is_human]).values_S[0])
    found = interval(auroc, error)
    assert found == pytest.approx(bootstrap_interval(values, is_human, records, seed=0), abs=0.015)
    by_fragment = interval(auroc, auroc_by_record(values, is_human, np.arange(960))[1])
    assert found is not None
    assert by_fragment is not None
    if not pairs:
        assert found[1] - found[0] > 2 * (by_fragment[1] - by_fragment[0])


def test_with_one_text_a_record_the_error_is_that_of_delong() -> None:
    draw = np.random.default_rng(4)
    values, is_human = draw.normal(size=70).round(1), np.arange(70) < 30
    auroc, error = auroc_by_record(values, is_human, np.arange(70))
    found = delong(values[is_human], values[~is_human])
    assert (auroc, error**2) == pytest.approx((found.values_S[0], found.covariance_SS[0, 0]))
    assert np.isnan(auroc_by_record([1.0, 2.0, 3.0], [True, False, False], ["a", "b", "c"])[1])


def test_the_bootstrap_counts_ties_half() -> None:
    assert bootstrap_interval([1.0] * 20, [True] * 10 + [False] * 10, range(20), seed=0) is None
    limits = bootstrap_interval([0.0, 1.0] * 20, [True] * 20 + [False] * 20, range(40), seed=0)
    assert limits is not None
    assert limits[0] < 0.5 < limits[1]


def test_p_values_are_those_of_no_difference_and_holm_is_that_of_statsmodels() -> None:
    draw = np.random.default_rng(3)
    p_values = []
    for _ in range(400):
        human, machine = draw.normal(size=(2, 40)), draw.normal(size=(2, 40)) + 1
        p_values.append(p_of_difference(delong(human, machine), 0, 1))
    assert np.mean(np.array(p_values) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    some = draw.uniform(size=9) ** 3
    assert holm(some) == pytest.approx(multipletests(some, method="holm")[1])
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert p_of_difference(delong([[0, 1, 2]] * 2, [[2, 3, 1]] * 2), 0, 1) is None


def test_nothing_to_go_by_is_no_interval() -> None:
    assert interval(1.0, 0.0) is None
    assert np.isnan(delong([1.0], [2.0]).covariance_SS).all()
    for auroc, error in itertools.product((0.01, 0.5, 0.99), (0.001, 0.2, 100)):
        low, high = interval(auroc, error) or (2, -1)
        assert 0 <= low < auroc < high <= 1
