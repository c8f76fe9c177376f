"""Tables of scores with known distributions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

Frames = Callable[..., pd.DataFrame]


def score_frame(
    records: int = 400,
    *,
    fragments: int = 1,
    correlation: float = 0.0,
    seed: int = 0,
    machine: float | None = -2.0,
    step: float = 0.0,
    lengths: tuple[int, int] = (20, 400),
    generators: tuple[str, ...] = ("g",),
    dataset: str = "d",
) -> pd.DataFrame:
    """Rows of scores: normal, the spread shrinks with the root of the length.

    Args:
        records: Number of records.
        fragments: Human fragments a record, and as many machine ones.
        correlation: Of two fragments of a record, in units of their spread.
        seed: Of all draws.
        machine: Shift of machine text in units of the spread; None: human text only.
        step: Scores are rounded to it, so that they tie; 0: not rounded.
        lengths: Shortest and longest fragment.
        generators: The same human fragments are there once for each.
        dataset: Of all rows.
    """
    draw = np.random.default_rng(seed)
    tokens = draw.integers(lengths[0], lengths[1] + 1, (records, fragments))
    spread = 2 / np.sqrt(tokens)

    def scores(shift: float) -> Any:
        own, common = draw.normal(size=(records, fragments)), draw.normal(size=(records, 1))
        z = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own + shift
        values = 1 + z * spread
        return np.round(values / step) * step if step else values

    ids = np.repeat([f"r{number:06d}" for number in range(records)], fragments)
    index = np.tile(np.arange(fragments), records)
    classes = [("human", 0.0)] if machine is None else [("human", 0.0), ("synthetic", machine)]
    human = scores(0.0)
    frames = [
        pd.DataFrame(
            {
                "record_id": ids,
                "fragment_index": index,
                "author": author,
                "dataset": dataset,
                "generator": generator,
                "length_tokens": tokens.ravel(),
                "score": (human if author == "human" else scores(shift)).ravel(),
            }
        )
        for generator in generators
        for author, shift in classes
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def frame() -> Frames:
    return score_frame
