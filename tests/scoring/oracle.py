"""The Binoculars score as the paper writes it (arXiv 2401.12070): naive, in float64, one text at a time."""

import copy
from typing import Any

import torch

from models.load import LoadedModel


def oracle(
    observer: LoadedModel, performer: LoadedModel, ids: list[int], alignment: str = "reference"
) -> tuple[float, float]:
    """log_ppl and log_xppl as the paper writes them, naively, in float64."""
    x = torch.tensor([ids])
    with torch.no_grad():
        o = in_float64(observer.model)(input_ids=x).logits[0]
        q = in_float64(performer.model)(input_ids=x).logits[0]
    nll = -q.log_softmax(-1)[range(len(ids) - 1), x[0, 1:]]
    xent = -(o.softmax(-1) * q.log_softmax(-1)).sum(-1)
    if alignment == "aligned":
        xent = xent[:-1]
    return nll.mean().item(), xent.mean().item()


def in_float64(model: Any) -> Any:
    """The model itself if it is in float64 already, else a copy that is."""
    return model if model.dtype == torch.float64 else copy.deepcopy(model).double()
