"""Diverse beam search, which transformers no longer ships, as a callable for `model.generate(custom_generate=...)`.

Shapes: B beams, W beams of one group, C candidates for them, V vocabulary, T tokens so far, L tokens of the prompt.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList

from models.decoding_steps import choose_rows, forward, refuse_all_but_one_prompt

LOST: Final = -1e9
"""Added to the score of a beam that must not go on. It is finite, so that even such beams have an order."""


def diverse_beam_search(
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    *,
    groups: int,
    penalty: float,
    **inputs: Any,
) -> Tensor:
    """Run beam search in groups that avoid each other's tokens.

    This is algorithm 1 of Vijayakumar et al. 2016 with Hamming diversity.
    In every step the groups choose one after the other. A token costs `penalty` for each beam of an earlier group that
    chose the token in this step. The cost stays in the beam's score. A group keeps its own finished hypotheses and ends
    by the rules of transformers' beam search, so that one group without a penalty is transformers' beam search.

    Args:
        model: a causal language model.
        input_ids: the prompt once per beam, as generate() lays it out, shape (B, L).
        logits_processor: called once per step, with the ids and the log-probabilities of all beams.
        stopping_criteria: called with all candidates of a group.
        generation_config: `num_beams`, `length_penalty`, `early_stopping` and `num_return_sequences` as in
            transformers; `max_length` bounds T.
        groups: number of groups, which must divide the number of beams.
        penalty: cost of a token that a beam of an earlier group chose, in nats.
        inputs: further inputs of the model, the cache among them.

    Returns:
        The best hypotheses of all groups with the prompt, best first, shape (num_return_sequences, T), padded.

    Raises:
        ValueError: there are several prompts, there is padding, or the groups do not divide the beams.
        ModelUnsupported: the model has no cache whose rows can be chosen.
    """
    beams = generation_config.num_beams
    if groups < 1 or beams % groups:
        raise ValueError(
            f"diverse beam search shares beams out evenly, and {groups} groups do not divide {beams} beams"
        )
    refuse_all_but_one_prompt("diverse beam search", input_ids, beams, inputs)
    width, ids_BT = beams // groups, input_ids
    searches = [
        _BeamGroup(start, width, penalty, ids_BT.shape[1], generation_config) for start in range(0, beams, width)
    ]
    scores_B = torch.full((beams,), LOST, device=ids_BT.device)
    scores_B[::width] = 0  # at first all beams of a group are the prompt, so only one of them may go on
    logits_BV, inputs = forward(model, ids_BT, inputs, first=True)
    while True:
        log_p_BV = logits_processor(ids_BT, logits_BV.log_softmax(-1))
        taken_V = torch.zeros_like(log_p_BV[0])
        steps = [search.step(ids_BT, scores_B, log_p_BV, taken_V, stopping_criteria) for search in searches]
        parents_B, tokens_B, scores_B = (torch.cat(parts) for parts in zip(*steps, strict=True))
        ids_BT = torch.cat([ids_BT[parents_B], tokens_B[:, None]], dim=1)
        if all(search.done for search in searches):
            break
        choose_rows(model, inputs, parents_B)
        logits_BV, inputs = forward(model, ids_BT, inputs)
    found = sorted((hypothesis for search in searches for hypothesis in search.finished), key=_worse_later)
    best = [ids_T for _, ids_T in found[: generation_config.num_return_sequences]]
    return pad_sequence(best, batch_first=True, padding_value=_padding_id(generation_config))


@dataclass
class _BeamGroup:
    """One group of beams: the rows of its running beams in the batch, and its finished hypotheses."""

    start: int
    """First row of the group in the batch."""
    width: int
    """Number of beams of the group."""
    penalty: float
    prompt_tokens: int
    config: GenerationConfig
    finished: list[tuple[float, Tensor]] = field(default_factory=list)
    """Hypotheses, at most `width`, best first: score divided by length to the power of `length_penalty`, and ids."""
    done: bool = False

    def step(
        self,
        ids_BT: Tensor,
        scores_B: Tensor,
        log_p_BV: Tensor,
        taken_V: Tensor,
        stopping_criteria: StoppingCriteriaList,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Choose the next token of each beam, and count these tokens into `taken_V` for the groups that follow.

        Args:
            ids_BT: of all beams of the batch.
            scores_B: likewise.
            log_p_BV: log-probabilities of the next token, after the logits processors.
            taken_V: number of beams of earlier groups that chose each token in this step; changed in place.
            stopping_criteria: called with all candidates of the group.

        Returns:
            For each of the W beams: the row that the beam continues, its next token, and its score.
        """
        rows = slice(self.start, self.start + self.width)
        if self.done:  # the rows of a finished group stay in the batch, and repeat their last token
            return torch.arange(len(ids_BT), device=ids_BT.device)[rows], ids_BT[rows, -1], scores_B[rows]
        scores_WV = log_p_BV[rows] - self.penalty * taken_V + scores_B[rows, None]
        # Enough candidates that `width` of them go on, even if every beam has a candidate for each end-of-text token.
        count = self.width * max(2, 1 + len(_end_ids(self.config)))
        scores_C, places_C = scores_WV.flatten().topk(count)
        parents_C, tokens_C = self.start + places_C // len(taken_V), places_C % len(taken_V)
        candidates_CT = torch.cat([ids_BT[parents_C], tokens_C[:, None]], dim=1)
        stopped_C = stopping_criteria(candidates_CT, None)
        self._finish(candidates_CT, scores_C, stopped_C)
        # The best candidates that do not stop. If they are fewer than `width`, the best that stop fill the places.
        chosen_W = stopped_C.to(torch.int8).argsort(stable=True)[: self.width]
        scores_W = (scores_C + LOST * stopped_C)[chosen_W]
        self.done = bool(stopped_C.all()) or self._cannot_improve(candidates_CT.shape[1], scores_W[0])
        taken_V.index_add_(0, tokens_C[chosen_W], torch.ones_like(scores_W))
        return parents_C[chosen_W], tokens_C[chosen_W], scores_W

    def _finish(self, candidates_CT: Tensor, scores_C: Tensor, stopped_C: Tensor) -> None:
        """Add the candidates that stop and that are among the best `width` to the finished hypotheses."""
        scores_C = scores_C / self._by_length(candidates_CT.shape[1])
        best = zip(scores_C.tolist(), candidates_CT, stopped_C.tolist(), strict=True)
        ended = [(score, ids_T) for score, ids_T, stopped in list(best)[: self.width] if stopped]
        self.finished = sorted([*self.finished, *ended], key=_worse_later)[: self.width]

    def _cannot_improve(self, length: int, best_running: Tensor) -> bool:
        """Tell whether no running beam can replace a finished hypothesis any more, judged as `early_stopping` says."""
        if len(self.finished) < self.width:
            return False
        if self.config.early_stopping is True:
            return True
        if self.config.early_stopping == "never" and self.config.length_penalty > 0:
            length = self.config.max_length
        return float(best_running / self._by_length(length)) <= self.finished[-1][0]

    def _by_length(self, length: int) -> float:
        """Return the divisor of a score: the number of new tokens to the power of `length_penalty`."""
        return float((length - self.prompt_tokens) ** self.config.length_penalty)


def _worse_later(hypothesis: tuple[float, Tensor]) -> float:
    """Return a key that sorts hypotheses best first."""
    return -hypothesis[0]


def _end_ids(config: GenerationConfig) -> list[int]:
    """Return the ids of the end-of-text tokens."""
    ids = config.eos_token_id
    return [] if ids is None else ids if isinstance(ids, list) else [ids]


def _padding_id(config: GenerationConfig) -> int:
    """Return the id that shorter hypotheses are padded with."""
    return config.pad_token_id if config.pad_token_id is not None else next(iter(_end_ids(config)), 0)
