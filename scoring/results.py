"""Scores of texts, fragments and prefixes, from the sums of their tokens.

    log_ppl = Σ nll / n_nll        log_xppl = Σ xent / n_xent        score = log_ppl / log_xppl

(arXiv 2401.12070; all in nats per token.) A text of L tokens has n_nll = L − 1. `reference` alignment takes
n_xent = L, with the prediction after the last token, as the authors' code does; `aligned` takes L − 1. Sums
over a prefix are cumulative sums over the text, because the models are causal. The panel, where it was asked for, is a
part of the score (panel.py). Knows no torch.
"""

# ruff: noqa: N815 - names end in their shape

import math
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from scoring.fragments import Fragment
from scoring.panel import Floats, Panel, TokenPanel

Alignment = Literal["reference", "aligned"]
OUT_OF_MEMORY: Final = "out_of_memory"
BEYOND_MODEL: Final = "token_beyond_model"
NULL_REASONS: Final = {
    "empty_text": "the text has no words",
    "too_short": "a text of the record has fewer words or tokens than a fragment must have",
    "no_blanks": "the text is written without blanks, so it has no words to count; give lengths in tokens",
    "not_cut": "the task failed, and the tokenizer that cuts its texts could not be read where the row was written",
    "one_token": "the text has fewer than two tokens, so no token is predicted",
    "shorter_than_prefix": "the text has fewer tokens than the prefix asked for",
    "prefix_beyond_max_tokens": "the prefix is longer than max_tokens",
    "prefix_beyond_model": "the prefix is longer than the model can read",
    BEYOND_MODEL: "the text has a token for which the model has no embedding or no logit",
    "not_text": "the value is no string",
    "not_unicode": "the text holds half a surrogate pair, which is no character",
    "not_finite": "a sum is infinite or not a number: the dtype overflowed",
    "zero_cross_entropy": "log_xppl is zero, so the ratio does not exist",
    OUT_OF_MEMORY: "the text did not fit into this slot's memory even alone",
}
"""Null reasons of texts, with their meaning. `scoring.corpora.records` has those of rows that are no valid records."""


@dataclass(frozen=True)
class Score(Panel):
    """The score of a text, with its panel. Where there is a `null_reason`, `score` is None.

    So is every metric then, with two exceptions: the sums of `zero_cross_entropy`, and what exists of the panel where a
    sum of the score is `not_finite`.
    """

    nll_sum: float | None = None
    """Σ nll, nats."""
    xent_sum: float | None = None
    """Σ xent, nats."""
    n_nll: int | None = None
    n_xent: int | None = None
    log_ppl: float | None = None
    """Nats per token."""
    log_xppl: float | None = None
    """Nats per token."""
    score: float | None = None
    """log_ppl / log_xppl; the lower, the more machine-like."""
    length_tokens: int | None = None
    """Tokens scored, special tokens included."""
    truncated: bool | None = None
    """True where the text had more than `max_tokens` tokens; None where the text was not encoded."""
    null_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class FragmentOrigin:
    """The fragment, or the prefix of a fragment, that a result is of. Field names are the identity columns of rows."""

    record_id: str
    fragment_index: int
    prefix_tokens: int | None
    dataset: str | None
    generator: str | None
    author: str | None
    group: str | None
    length_words: int | None
    start_word: int | None
    text_sha256: str | None
    dropped_words: int
    unpaired_words: int
    null_reason: str | None = None
    """Reason why the fragment has no numbers."""

    @property
    def needs_more_memory(self) -> bool:
        """True where the fragment ran out of memory, and a larger slot might score it."""
        return self.null_reason == OUT_OF_MEMORY


@dataclass(frozen=True)
class FragmentScore(Score, FragmentOrigin):
    """The origin and the score of a fragment, or of a prefix of a fragment.

    Field names are the columns of the `binoculars` rows.
    """


@dataclass(frozen=True)
class TokenSums:
    """Numbers of each token of a text: nll and cross-entropy, in nats, and what the panel needs beside them."""

    nll_L: Floats
    """nll of each token. The last is NaN: no token follows."""
    xent_L: Floats
    truncated: bool
    """True where the text was cut."""
    panel: TokenPanel | None = None
    """None: the panel was not asked for."""

    def score(self, alignment: Alignment, tokens: int | None = None) -> Score:
        """Return the score of the text, or of its first `tokens` tokens."""
        length = len(self.nll_L) if tokens is None else tokens
        if length < 2:
            return Score(length_tokens=length, truncated=self.truncated, null_reason="one_token")
        n_nll, n_xent = length - 1, length if alignment == "reference" else length - 1
        nll_sum, xent_sum = math.fsum(self.nll_L[:n_nll]), math.fsum(self.xent_L[:n_xent])
        panel = Panel() if self.panel is None else self.panel.panel(self.nll_L, self.xent_L, length)
        blank = Score(length_tokens=length, truncated=self.truncated, **vars(panel))
        if not (math.isfinite(nll_sum) and math.isfinite(xent_sum)):
            return replace(blank, null_reason="not_finite")
        log_ppl, log_xppl = nll_sum / n_nll, xent_sum / n_xent
        sums = replace(
            blank,
            nll_sum=nll_sum,
            xent_sum=xent_sum,
            n_nll=n_nll,
            n_xent=n_xent,
            log_ppl=log_ppl,
            log_xppl=log_xppl,
        )
        if log_xppl == 0.0:
            return replace(sums, null_reason="zero_cross_entropy")
        return replace(sums, score=log_ppl / log_xppl)


def fragment_score(
    fragment: Fragment, score: Score, prefix_tokens: int | None = None, length_words: int | None = None
) -> FragmentScore:
    """Join a fragment's origin with its score. For a prefix, `length_words` is the number of its words."""
    return FragmentScore(**vars(score), **origin_of(fragment, prefix_tokens, length_words))


def origin_of(fragment: Fragment, prefix_tokens: int | None = None, length_words: int | None = None) -> dict[str, Any]:
    """Return the fields of `FragmentOrigin`, `null_reason` left out; arguments as those of `fragment_score`."""
    return {
        "record_id": fragment.record_id,
        "fragment_index": fragment.fragment_index,
        "prefix_tokens": prefix_tokens,
        "dataset": fragment.dataset,
        "generator": fragment.generator,
        "author": fragment.author,
        "group": fragment.group,
        "length_words": fragment.length_words if prefix_tokens is None else length_words,
        "start_word": fragment.start_word,
        "text_sha256": fragment.text_sha256,
        "dropped_words": fragment.dropped_words,
        "unpaired_words": fragment.unpaired_words,
    }
