"""Rows of scored texts, as the binoculars benchmark writes them, made from a few settings."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

Rows = list[dict[str, Any]]


def scored_rows(
    records: int = 60,
    fragments: int = 2,
    *,
    pairs: Sequence[tuple[str, str, float]] = (("x/base", "x/instruct", 2.0),),
    panel: bool = False,
    seed: int = 0,
) -> Rows:
    """Return rows of human and machine texts.

    Args:
        records: number of records.
        fragments: texts of each author in each record.
        pairs: observer, performer, and how many standard deviations machine text lies below human text.
        panel: rows have the panel's scores.
        seed: of all draws.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for record in range(records):
        for author in ("human", "synthetic"):
            for fragment in range(fragments):
                tokens, noise = int(draw.integers(15, 300)), draw.normal(size=3)
                for number, (observer, performer, shift) in enumerate(pairs):
                    z = float(noise[0] + 0.2 * draw.normal()) - shift * (author == "synthetic")
                    row = {
                        "benchmark": "binoculars",
                        "task_id": f"t{number}-{record}",
                        "cell_id": f"c{number}",
                        "status": "ok",
                        "attempt": 1,
                        "iteration": 0,
                        "duration_s": 0.1,
                        "pair": json.dumps([observer, performer]),
                        "observer": observer,
                        "performer": performer,
                        "corpus": "c",
                        "fragments": '{"mode": "random"}',
                        "alignment": "reference",
                        "quantization": "none",
                        "max_tokens": 512,
                        "dtype_effective": "float32",
                        "revision": "None, None",
                        "record_id": f"r{record:05d}",
                        "author": author,
                        "dataset": "d",
                        "generator": "g",
                        "fragment_index": fragment,
                        "start_word": 10 * fragment,
                        "length_words": int(tokens / 1.4),
                        "length_tokens": tokens,
                        "score": 1 + 0.05 * z,
                        "log_ppl": 3 * (1 + 0.05 * z),
                        "log_xppl": 3.0 + 0.1 * noise[1],
                    }
                    if panel:
                        row |= {"fast_detect": -z + noise[2], "lrr": float(noise[1]), "log_rank": z, "entropy": -z}
                    rows.append(row)
    return rows


@pytest.fixture
def scored() -> Callable[..., Rows]:
    return scored_rows
