"""All claims of a page together: rarely false where nothing is, and those of planted effects in their order."""

from collections.abc import Mapping
from typing import Any

import pytest
from scipy import stats

from tests.analysis.conclusions.simulated_page import GRIDS, SECTIONS, claims_on, page_of, sweeps_with_a_claim

PAGES = 75
"""Some 45 s of CPU time. docs/statistics.md has the numbers of 400 pages."""


@pytest.mark.slow
def test_at_most_a_twentieth_of_sweeps_without_an_effect_have_any_claim() -> None:
    counts = sweeps_with_a_claim(range(PAGES))
    sweeps = PAGES * len(GRIDS)
    assert sum(counts.values()) <= stats.binom.isf(0.01, sweeps, 0.05), counts
    for name, count in counts.items():
        assert count <= stats.binom.isf(0.001, PAGES, 0.05), name


def speed(levels: Mapping[str, Any]) -> float:
    """K80 is slower by a fifth, 8 bits by half and beams by two thirds."""
    return (
        -0.2 * (levels["device"] == "k80")
        - 0.7 * (levels.get("quantization") == "8-bit")
        - 1.1 * (levels.get("decoding_strategy") == "beam_search")
    )


@pytest.mark.parametrize(
    ("sweep", "factors"),
    [
        ("generation", ["Quantization explains", "Device map explains"]),
        ("decoding_strategy", ["Decoding strategy explains", "Device map explains"]),
        ("logits", ["Quantization explains", "Device map explains"]),
        ("model_loading", ["Device map explains"]),
    ],
)
def test_planted_effects_are_claimed_in_their_order(sweep: str, factors: list[str]) -> None:
    found = [claims_on(page_of(seed, speed), sweep) for seed in (0, 1, 4)]
    for said in found:
        explained = [sentence for sentence in said if " explains " in sentence]
        assert [sentence[: len(name)] for sentence, name in zip(explained, factors, strict=True)] == factors
        assert any("from faster to slower: gtx-1070; then k80" in sentence for sentence in said)


def test_planted_trade_offs_are_found_and_the_fidelity_keeps_what_is_slower() -> None:
    page = page_of(1, speed, closeness=0.1)
    pair, *_ = (said for said in claims_on(page, "generation") if said.startswith("Best trade-offs"))
    assert "of generation rate and peak memory of one with 256 new tokens: " in pair
    assert "are each beaten by one that is as good in all of these" in pair
    assert "8-bit" not in pair
    (all_three,) = (
        said for said in SECTIONS["generation"](page["generation"]).sentences if ", peak memory and KL" in said
    )
    assert "8-bit" in all_three or "none of the" in all_three
    (table,) = (one for one in SECTIONS["generation"](page["generation"]).tables if "KL divergence" in one.title)
    assert not any("4-bit" in row[-1] for row in table.rows if "8-bit" in row)


def test_a_sentence_that_claims_nothing_is_no_claim_of_the_simulation() -> None:
    page = page_of(0)
    for name in GRIDS:
        assert claims_on(page, name) == []
        assert len(SECTIONS[name](page[name]).sentences) > 3
