"""The fidelity of a model as its definition says: naive, in float64, one text at a time, on whole tables of logits."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def token_fidelity(o_TV: Tensor, q_TV: Tensor, target_T: Tensor) -> dict[str, Tensor]:
    """The numbers of every token; torch's own divergence, with the reference as target."""
    log_o_TV, log_q_TV = o_TV.double().log_softmax(-1), q_TV.double().log_softmax(-1)
    return {
        "kl": torch.nn.functional.kl_div(log_q_TV, log_o_TV, reduction="none", log_target=True).sum(-1),
        "nll_o": -log_o_TV.gather(1, target_T[:, None])[:, 0],
        "nll_q": -log_q_TV.gather(1, target_T[:, None])[:, 0],
        "agrees": (o_TV.argmax(-1) == q_TV.argmax(-1)).double(),
    }


def fidelity_oracle(o_TV: Tensor, q_TV: Tensor, targets: list[int]) -> dict[str, Any]:
    """Every number of a text, from the logits [L − 1, V] of the positions that have a next token."""
    tokens = {name: column_T.numpy() for name, column_T in token_fidelity(o_TV, q_TV, torch.tensor(targets)).items()}
    kl, nll_o, nll_q, agrees = tokens.values()
    return {
        "kl": kl.mean(),
        "kl_p99": np.percentile(kl, 99),
        "top1_agreement": agrees.mean(),
        "log_ppl_reference": nll_o.mean(),
        "log_ppl_quantized": nll_q.mean(),
        "ppl_ratio": np.exp(nll_q.mean()) / np.exp(nll_o.mean()),
        "kl_sum": kl.sum(),
        "nll_reference_sum": nll_o.sum(),
        "nll_quantized_sum": nll_q.sum(),
        "top1_agree": agrees.sum(),
        "n_predicted": len(targets),
        "length_tokens": len(targets) + 1,
        "truncated": False,
        "null_reason": None,
    }
