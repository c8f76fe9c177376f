"""The panel as its sources write it: naive, in float64, one text at a time, on whole tables of logits.

Shares nothing with the code under test: a variance is taken about its mean, moments are scipy's.
"""

import math
from typing import Any

import numpy as np
import torch
from scipy.stats import kurtosis, skew
from torch import Tensor

from models.load import LoadedModel
from tests.scoring.oracle import in_float64


def aligned_logits(observer: LoadedModel, performer: LoadedModel, ids: list[int]) -> tuple[Tensor, Tensor]:
    """Both models' logits [L − 1, V] of the positions that have a next token."""
    x = torch.tensor([ids])
    with torch.no_grad():
        o_TV = in_float64(observer.model)(input_ids=x).logits[0, :-1]
        q_TV = in_float64(performer.model)(input_ids=x).logits[0, :-1]
    return o_TV, q_TV


def token_oracle(o_TV: Tensor, q_TV: Tensor, target_T: Tensor) -> dict[str, Tensor]:
    """The numbers of every token."""
    log_o_TV, log_q_TV = o_TV.double().log_softmax(-1), q_TV.double().log_softmax(-1)
    p_o_TV, p_q_TV = log_o_TV.exp(), log_q_TV.exp()
    mean_T = (p_o_TV * log_q_TV).sum(-1)
    target_q_T1 = q_TV.gather(1, target_T[:, None])
    return {
        "nll": -log_q_TV.gather(1, target_T[:, None])[:, 0],
        "xent": -mean_T,
        "variance": (p_o_TV * (log_q_TV - mean_T[:, None]).square()).sum(-1),
        "entropy_o": -(p_o_TV * log_o_TV).sum(-1),
        "entropy_q": -(p_q_TV * log_q_TV).sum(-1),
        "rank": 1.0 + (q_TV > target_q_T1).double().sum(-1),
        "agrees": (o_TV.argmax(-1) == q_TV.argmax(-1)).double(),
    }


def panel_oracle(o_TV: Tensor, q_TV: Tensor, targets: list[int]) -> dict[str, Any]:
    """Every column of the panel. Texts are long enough for every moment, and some rank is above 1."""
    tokens = {name: column_T.numpy() for name, column_T in token_oracle(o_TV, q_TV, torch.tensor(targets)).items()}
    nll, xent, rank = tokens["nll"], tokens["xent"], tokens["rank"]
    return {
        "xent_aligned_sum": xent.sum(),
        "var_sum": tokens["variance"].sum(),
        "entropy_o_sum": tokens["entropy_o"].sum(),
        "entropy_q_sum": tokens["entropy_q"].sum(),
        "log_rank_sum": np.log(rank).sum(),
        "rank_1": (rank == 1).sum(),
        "rank_10": (rank <= 10).sum(),
        "rank_100": (rank <= 100).sum(),
        "rank_1000": (rank <= 1000).sum(),
        "top1_agree": tokens["agrees"].sum(),
        "fast_detect": fast_detect_gpt(o_TV, q_TV, targets),
        "log_rank": np.log(rank).mean(),
        "lrr": nll.sum() / np.log(rank).sum(),
        "entropy": tokens["entropy_q"].mean(),
        "kl": torch.nn.functional.kl_div(
            q_TV.double().log_softmax(-1), o_TV.double().log_softmax(-1), reduction="batchmean", log_target=True
        ).item(),
        "surprisal_sd": np.std(nll),
        "surprisal_skew": skew(nll),
        "surprisal_kurtosis": kurtosis(nll),
        "surprisal_delta_sd": np.std(np.diff(nll)),
    }


def fast_detect_gpt(reference_TV: Tensor, scoring_TV: Tensor, targets: list[int]) -> float:
    """The conditional probability curvature of Fast-DetectGPT in its analytic form (arXiv 2310.05130, section 2.3).

    The log-probability of the text under the scoring model, less its expectation where every token is drawn anew from
    the reference model on the same context, over the standard deviation of that: token by token, and symbol by symbol.
    """
    log_probability = mean = variance = 0.0
    for reference_V, scoring_V, x in zip(reference_TV.double(), scoring_TV.double(), targets, strict=True):
        probabilities, logs = reference_V.softmax(-1).tolist(), scoring_V.log_softmax(-1).tolist()
        expected = sum(p * log for p, log in zip(probabilities, logs, strict=True))
        log_probability += logs[x]
        mean += expected
        variance += sum(p * log**2 for p, log in zip(probabilities, logs, strict=True)) - expected**2
    return (log_probability - mean) / math.sqrt(variance)
