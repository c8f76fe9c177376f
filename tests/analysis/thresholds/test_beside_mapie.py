"""The same promise by MAPIE's risk control (Learn Then Test, arXiv 2110.01052), on the same independent scores."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from analysis.thresholds import calibrate

mapie = pytest.importorskip("mapie.risk_control")


def as_probability(values: Any) -> Any:
    machine = 1 - ndtr(np.ravel(values))
    return np.stack([1 - machine, machine], axis=1)


def test_it_keeps_the_promise_as_mapie_does_and_finds_no_less() -> None:
    kept = {"ours": 0, "mapie": 0}
    for seed in range(30):
        draw = np.random.default_rng(seed)
        scores = np.concatenate([draw.normal(size=800), draw.normal(-2, size=800)])
        human = np.arange(1600) < 800
        controller = mapie.BinaryClassificationController(
            as_probability,
            "fpr",
            target_level=0.05,
            confidence_level=0.95,
            list_predict_params=np.linspace(0.999, 0.9, 200),
            fwer_method="fixed_sequence",
        ).calibrate(scores[:, None], (~human).astype(int))
        # It flags where the probability is at least the parameter: there the score is at most this.
        negated = -float(np.min(controller.valid_predict_params))
        rows = pd.DataFrame(
            {
                "record_id": np.arange(1600).astype(str),
                "author": np.where(human, "human", "synthetic"),
                "dataset": "d",
                "generator": "g",
                "length_tokens": 100,
                "score": scores,
            }
        )
        ours = calibrate(rows, fpr=0.05, split=(0, 1, 0), seed=seed).groups[0].threshold
        kept["ours"] += float(ndtr(ours)) <= 0.05
        kept["mapie"] += 1 + negated <= 0.05
        assert float(ndtr(ours)) >= 1 + negated - 0.001  # of human texts, so of machine texts too
    assert min(kept.values()) >= 30 * 0.95 - 3
