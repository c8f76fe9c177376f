"""Scores without any effect: how often the best of many pairs is said to separate, or to point the other way."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.sections.scores.pair_statistics import comparisons, statistics
from analysis.sections.scores.ranking import ranking
from analysis.sections.scores.setting import Setting
from analysis.sections.scores.wording import NOT_TURNED

PAIRS, RECORDS, SWEEPS = 12, 60, 60


def without_effect(rng: np.random.Generator) -> list[Setting]:
    """Pairs that scored a human and a machine text of each record, at random."""
    texts = pd.DataFrame(
        {
            "dataset": "d",
            "record_id": np.repeat([f"r{number}" for number in range(RECORDS)], 2),
            "author": ["human", "synthetic"] * RECORDS,
            "generator": "g",
            "fragment_index": 0,
            "start_word": 0,
            "is_human": [True, False] * RECORDS,
        }
    )
    return [Setting(f"pair {k}", {}, texts.assign(score=rng.normal(1, 0.1, len(texts)))) for k in range(PAIRS)]


@pytest.mark.slow
def test_the_best_of_many_pairs_that_separate_nothing_is_rarely_said_to_separate() -> None:
    rng = np.random.default_rng(5)
    claimed = 0
    for _ in range(SWEEPS):
        settings = without_effect(rng)
        said = ranking(statistics(settings), comparisons(settings)[0])
        claimed += not any("is shown to separate" in sentence for sentence in said)
        claimed += any(NOT_TURNED in sentence for sentence in said)
    assert claimed <= stats.binom.ppf(0.999, SWEEPS, 0.05)
