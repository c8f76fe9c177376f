"""Contestants of `bench.scoring`: this project's scorer, a naive scorer that follows the authors' code, and the limit.

All take the same token ids and the same two models. Shapes: B texts, L padded length, T tokens, H hidden size,
V vocabulary.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from models.load import LoadedModel
from scoring.batching import BudgetedRunner, DoesNotFit, collate
from scoring.pair import Pair

Texts = Sequence[Sequence[int]]


class Contestant(Protocol):
    """A scorer of texts, or the limit, which scores nothing and returns an empty list."""

    @property
    def name(self) -> str:
        """Name in the table."""

    def run(self, texts: Texts) -> list[float]:
        """Return the scores in the order of `texts`."""


class Fused:
    """This project's scorer."""

    def __init__(
        self, observer: LoadedModel, performer: LoadedModel, token_budget: int, *, panel: bool = False
    ) -> None:
        self._pair = Pair(observer, performer, panel=panel)
        self._runner = BudgetedRunner(token_budget)
        self._panel = panel

    @property
    def name(self) -> str:
        """With the panel or without."""
        return "fused, panel" if self._panel else "fused"

    def run(self, texts: Texts) -> list[float]:
        """Return the scores, with reference alignment."""
        scores = [0.0] * len(texts)
        lengths = [len(ids) for ids in texts]
        for index, sums in self._runner.results(
            lengths, lambda batch: self._pair.token_sums([texts[i] for i in batch])
        ):
            assert not isinstance(sums, DoesNotFit)
            scores[index] = sums.score("reference").score or 0.0
        return scores


class Naive:
    """A scorer that computes what the authors' code does (github.com/ahans30/Binoculars), step by step, rewritten.

    The steps: batches in the order of the texts; full logits of both models; logits shifted, divided by the
    temperature and made contiguous; cross-entropy over a transposed class dimension; a softmax of the observer and a
    cross-entropy against it. The pad mask is taken from the attention mask, so that the scores can be compared.
    """

    def __init__(self, observer: LoadedModel, performer: LoadedModel, batch_size: int) -> None:
        self._observer, self._performer = observer.model, performer.model
        self._batch_size = batch_size
        self._cross_entropy = torch.nn.CrossEntropyLoss(reduction="none")
        self._temperature = 1.0

    @property
    def name(self) -> str:
        """Name with the batch size."""
        return f"naive, batch {self._batch_size}"

    @torch.inference_mode()
    def run(self, texts: Texts) -> list[float]:
        """Return the scores."""
        starts = range(0, len(texts), self._batch_size)
        return [score for start in starts for score in self._batch(texts[start : start + self._batch_size])]

    def _batch(self, texts: Texts) -> list[float]:
        ids_BL, real_BL = (one_BL.to(self._observer.device) for one_BL in collate(texts, pad_id=0))
        mask_BL = real_BL.long()
        o_BLV = self._observer(input_ids=ids_BL, attention_mask=mask_BL).logits
        q_BLV = self._performer(input_ids=ids_BL, attention_mask=mask_BL).logits
        log_ppl_B = self._perplexity(q_BLV, ids_BL, mask_BL)
        scores: list[float] = (log_ppl_B / self._cross_perplexity(o_BLV, q_BLV, mask_BL)).tolist()
        return scores

    def _perplexity(self, q_BLV: Tensor, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        shifted_BLV = q_BLV[..., :-1, :].contiguous() / self._temperature
        labels_BL, kept_BL = ids_BL[..., 1:].contiguous(), mask_BL[..., 1:].contiguous()
        nll_BL: Tensor = self._cross_entropy(shifted_BLV.transpose(1, 2), labels_BL) * kept_BL
        return (nll_BL.sum(1) / kept_BL.sum(1)).float()

    def _cross_perplexity(self, o_BLV: Tensor, q_BLV: Tensor, mask_BL: Tensor) -> Tensor:
        width = q_BLV.shape[-1]
        o_BLV, q_BLV = o_BLV / self._temperature, q_BLV / self._temperature
        p_TV = torch.softmax(o_BLV, dim=-1).view(-1, width)
        xent_BL: Tensor = self._cross_entropy(q_BLV.view(-1, width), p_TV).view(mask_BL.shape)
        return ((xent_BL * mask_BL).sum(1) / mask_BL.sum(1)).float()


class Limit:
    """The least work that scoring needs: both bodies over exactly the real tokens, and a plain matmul for each head.

    There is no padding and no softmax. Logits go into memory that is allocated already, which is faster than a fresh
    tensor for each text.
    """

    name = "limit"

    def __init__(self, observer: LoadedModel, performer: LoadedModel, longest: int) -> None:
        self._models = observer.model, performer.model
        weight_VH = performer.model.get_output_embeddings().weight
        self._logits_LV = torch.empty(longest, len(weight_VH), dtype=weight_VH.dtype, device=weight_VH.device)

    @torch.inference_mode()
    def run(self, texts: Texts) -> list[float]:
        """Do the work, and return no scores."""
        for ids in texts:
            ids_1L = torch.tensor([ids], device=self._logits_LV.device)
            for model in self._models:
                hidden_LH = model.base_model(input_ids=ids_1L, use_cache=False).last_hidden_state[0]
                weight_HV = model.get_output_embeddings().weight.T
                torch.mm(hidden_LH, weight_HV, out=self._logits_LV[: len(ids)])
        return []
