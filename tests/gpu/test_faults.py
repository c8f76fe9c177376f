"""Inputs and weights that do not fit on a card: a status, and the next task unharmed."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.gpu.conftest import failed, other_process_leaves, spec_of, table

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
Sweep = Callable[..., pd.DataFrame]
TINY = ["builtin://tiny-base"]
WORDS = [8, 1000, 1200]
FREE_BYTES = 3 * 2**29
"""Room for CUDA itself and for the logits of the fewest words, not for those of the others."""


def test_what_does_not_fit_is_a_status_and_longer_inputs_are_not_tried(sweep: Sweep, wide_model: Path) -> None:
    logits = table("logits", "logits", {"model": [str(wide_model)], "input_words": WORDS, "dtype": ["float32"]})
    after = table("after", "generation", {"model": TINY, "max_new_tokens": [4]})
    with other_process_leaves(FREE_BYTES):
        rows = sweep(spec_of([logits, after]), "--address", "inline")
    of_logits = rows[rows["sweep"] == "logits"].set_index("input_words")
    assert of_logits["status"].reindex(WORDS).tolist() == ["ok", "oom_gpu", "skipped_oom"], failed(rows)
    assert of_logits["calculation_time_s"].reindex(WORDS).notna().tolist() == [True, False, False]
    assert set(rows.loc[rows["sweep"] == "after", "status"]) == {"ok"}


def test_weights_that_have_no_room_are_refused(sweep: Sweep, wide_model: Path) -> None:
    generation = table("generation", "generation", {"model": [str(wide_model)], "max_new_tokens": [4]})
    with other_process_leaves(2**26 * 9):  # for CUDA itself, and little more
        rows = sweep(spec_of([generation]), "--address", "inline", code=1)  # nothing was measured
    assert set(rows["status"]) == {"oom_gpu"}, failed(rows)
