"""The step ROC beside scikit-learn's, and its bands."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from analysis.sections.scores.roc_bands import roc_bands


def test_the_curve_is_the_step_roc() -> None:
    draw = np.random.default_rng(0)
    human = np.arange(400) < 250
    values = np.round(draw.normal(size=400) + (~human), 1)  # with ties
    roc = roc_bands(values, human, np.arange(400))
    fpr, tpr, _ = roc_curve(~human, values, drop_intermediate=False)
    for rate, found in zip(roc.fpr_G, roc.tpr_G, strict=True):
        assert found == pytest.approx(tpr[fpr <= rate + 1e-9].max())
    assert roc.fpr_G.min() == pytest.approx(1 / 250)
    assert (roc.low_G <= roc.tpr_G + 1e-9).mean() > 0.95
    assert (roc.high_G >= roc.tpr_G - 1e-9).mean() > 0.95


def test_texts_of_a_record_are_drawn_together() -> None:
    draw = np.random.default_rng(1)
    human = np.arange(200) < 100
    values = draw.normal(size=200) + 1.5 * (~human)
    alone = roc_bands(values, human, np.arange(200))
    fivefold = roc_bands(np.tile(values, 5), np.tile(human, 5), np.tile(np.arange(200), 5))
    widths = [roc.high_G[roc.fpr_G >= 0.05].mean() - roc.low_G[roc.fpr_G >= 0.05].mean() for roc in (alone, fivefold)]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)
