"""The scores of a text, in one table: what each is, on which side machine text lies, and where it comes from.

Pure Python: reports, thresholds and the command line read it without importing torch. A score of the table is a column
of the `binoculars` rows, and a field of `scoring.results.Score`. Sums and means are over the aligned positions of a
text, those with a next token; only `score` follows the alignment that was asked for. Everything is in nats; o is the
observer, q the performer.
"""

from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["lower", "higher"]


@dataclass(frozen=True)
class ScoreKind:
    """A score of a text, for people and for whoever chooses a threshold on it."""

    name: str
    """Column of the rows."""
    formula: str
    direction: Direction | None
    """Side on which machine text lies: `lower` or `higher` than human text. None: no side is claimed."""
    source: tuple[str, ...] = ()
    """arXiv ids."""
    needs_panel: bool = True
    """False where every row has it, with and without the panel."""


_TABLE: Final = (
    ScoreKind("score", "(Σ nll / n_nll) / (Σ xent / n_xent)", "lower", ("2401.12070",), needs_panel=False),
    ScoreKind("fast_detect", "(Σ xent − Σ nll) / √Σ var", "higher", ("2310.05130",)),
    ScoreKind("log_ppl", "mean nll", "lower", needs_panel=False),
    ScoreKind("log_rank", "mean log rank", "lower", ("1906.04043", "2306.05540")),
    ScoreKind("lrr", "Σ nll / Σ log rank", "higher", ("2306.05540",)),
    ScoreKind("entropy", "mean H(q)", "lower"),
    ScoreKind("kl", "mean xent − mean H(o), which is KL(o‖q)", None),
    ScoreKind("surprisal_sd", "standard deviation of nll", None, ("2509.18880",)),
    ScoreKind("surprisal_skew", "skewness of nll", None, ("2509.18880",)),
    ScoreKind("surprisal_kurtosis", "excess kurtosis of nll", None, ("2509.18880",)),
    ScoreKind("surprisal_delta_sd", "standard deviation of the first difference of nll", None, ("2509.18880",)),
)
SCORES: Final = {kind.name: kind for kind in _TABLE}
"""Every score by its name, Binoculars first."""
