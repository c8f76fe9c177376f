"""Decoding strategies that transformers no longer ships: contrastive search and diverse beam search.

Both are callables for `model.generate(custom_generate=...)`: generate() prepares ids, cache, logits processors and
stopping criteria as for its own strategies, and these run the loop. Their own parameters are arguments of generate()
too. One prompt at a time. Knows nothing of benchmarks or of timing.

Shapes: B beams, W beams of one group, C candidates for them, K candidates of contrastive search, V vocabulary,
T tokens so far, L tokens of the prompt, D hidden size.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList

from models.errors import ModelUnsupported

_CACHES: Final = ("past_key_values", "cache_params")
"""Where a forward pass returns its cache."""
LOST: Final = -1e9
"""Added to the score of a beam that must not go on: finite, so that even such beams have an order."""


def contrastive_search(
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    *,
    alpha: float,
    k: int,
    **inputs: Any,
) -> Tensor:
    """Of the k likeliest tokens, one that is likely and unlike what was said (Su et al. 2022):

        argmax over v of  (1 - alpha) * p(v | x) - alpha * max over j of cos(h_v, h_j)

    h_v is the last layer's hidden state of v after x, h_j those of all tokens of x, the prompt's included. Each step
    runs the k candidates as k rows of one token; then every row of the cache becomes a copy of the chosen one's. n
    tokens take n + 1 forward passes.

    Args:
        model: a causal language model whose body gives the last hidden states.
        input_ids: shape (1, L).
        logits_processor: called once a step, with the ids so far and the next token's logits.
        stopping_criteria: asked after each token.
        generation_config: `max_length` bounds T.
        alpha: weight of being unlike, from 0 (greedy search) to 1.
        k: tokens to choose among; 1 is greedy search.
        inputs: what else the model takes, the cache among it.

    Returns:
        Prompt and new tokens, shape (1, T).

    Raises:
        ValueError: several prompts, padding, or alpha or k out of range.
        ModelUnsupported: the model has no body of its own, or no cache whose rows can be chosen.
    """
    if not 0 <= alpha <= 1 or k < 1:
        raise ValueError(f"contrastive search takes 0 <= alpha <= 1 and k >= 1, not alpha {alpha} and k {k}")
    _refuse_all_but_one_prompt("contrastive search", input_ids, 1, inputs)
    ids_1T = input_ids
    with _last_hidden_states(model) as last_hidden:
        logits_1V, inputs = _forward(model, ids_1T, inputs, first=True)
        prompt_LD = _directions(last_hidden()[0], ids_1T)
        seen_TD = prompt_LD.new_empty(generation_config.max_length, prompt_LD.shape[1])
        seen_TD[: len(prompt_LD)] = prompt_LD
        _choose_rows(model, inputs, ids_1T.new_zeros(k))
        _, inputs = model._expand_inputs_for_generation(expand_size=k, **inputs)
        while True:
            scores_1V = logits_processor(ids_1T, logits_1V)
            scores_1K, tokens_1K = scores_1V.topk(k)
            p_K = scores_1V.softmax(-1).gather(1, tokens_1K)[0]
            candidates_KT = torch.cat([ids_1T.expand(k, -1), tokens_1K.T], dim=1)
            logits_KV, inputs = _forward(model, candidates_KT, inputs)
            states_KD = _directions(last_hidden()[:, -1], ids_1T)
            likeness_K = (states_KD @ seen_TD[: ids_1T.shape[1]].T).amax(dim=1)
            merit_K = (1 - alpha) * p_K - alpha * likeness_K
            # What a processor forbids has p = 0, and may still be unlike enough to win.
            best_1 = merit_K.masked_fill(scores_1K[0] == -torch.inf, -torch.inf).argmax(keepdim=True)
            seen_TD[ids_1T.shape[1]] = states_KD[best_1][0]
            ids_1T, logits_1V = candidates_KT[best_1], logits_KV[best_1]
            if stopping_criteria(ids_1T, None).all():
                return ids_1T
            _choose_rows(model, inputs, best_1.expand(k))


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
    """Beam search in groups that avoid each other's tokens (Vijayakumar et al. 2016, algorithm 1, Hamming diversity).

    In every step the groups choose one after the other, and a token costs `penalty` for each beam of an
    earlier group that has just taken it; what it cost stays in the score. A group keeps its own finished hypotheses
    and ends by the rules of transformers' beam search: one group without a penalty is that.

    Args:
        model: a causal language model.
        input_ids: the prompt once for each beam, as generate() lays it out, shape (B, L).
        logits_processor: called once a step, with all beams and their log-probabilities.
        stopping_criteria: asked for all candidates of a group.
        generation_config: `num_beams`, `length_penalty`, `early_stopping` and `num_return_sequences` as in
            transformers; `max_length` bounds T.
        groups: how many groups the beams are shared out over.
        penalty: what a token costs, in nats.
        inputs: what else the model takes, the cache among it.

    Returns:
        The best hypotheses of all groups with the prompt, best first, shape (num_return_sequences, T), padded.

    Raises:
        ValueError: several prompts, padding, or groups that do not divide the beams.
        ModelUnsupported: the model has no cache whose rows can be chosen.
    """
    beams = generation_config.num_beams
    if groups < 1 or beams % groups:
        raise ValueError(
            f"diverse beam search shares beams out evenly, and {groups} groups do not divide {beams} beams"
        )
    _refuse_all_but_one_prompt("diverse beam search", input_ids, beams, inputs)
    width, ids_BT = beams // groups, input_ids
    searches = [_Group(start, width, penalty, ids_BT.shape[1], generation_config) for start in range(0, beams, width)]
    scores_B = torch.full((beams,), LOST, device=ids_BT.device)
    scores_B[::width] = 0  # the beams of a group are all the prompt still, and one of them is enough to go on from
    logits_BV, inputs = _forward(model, ids_BT, inputs, first=True)
    while True:
        log_p_BV = logits_processor(ids_BT, logits_BV.log_softmax(-1))
        taken_V = torch.zeros_like(log_p_BV[0])
        steps = [search.step(ids_BT, scores_B, log_p_BV, taken_V, stopping_criteria) for search in searches]
        parents_B, tokens_B, scores_B = (torch.cat(parts) for parts in zip(*steps, strict=True))
        ids_BT = torch.cat([ids_BT[parents_B], tokens_B[:, None]], dim=1)
        if all(search.done for search in searches):
            break
        _choose_rows(model, inputs, parents_B)
        logits_BV, inputs = _forward(model, ids_BT, inputs)
    found = sorted((hypothesis for search in searches for hypothesis in search.finished), key=_worse_later)
    best = [ids_T for _, ids_T in found[: generation_config.num_return_sequences]]
    return pad_sequence(best, batch_first=True, padding_value=_padding_id(generation_config))


@dataclass
class _Group:
    """One beam search among several: which rows of the batch are its running beams, and what it has finished."""

    start: int
    width: int
    penalty: float
    prompt_tokens: int
    config: GenerationConfig
    finished: list[tuple[float, Tensor]] = field(default_factory=list)
    """Score over length to the `length_penalty`, and ids; at most `width` of them, best first."""
    done: bool = False

    def step(
        self,
        ids_BT: Tensor,
        scores_B: Tensor,
        log_p_BV: Tensor,
        taken_V: Tensor,
        stopping_criteria: StoppingCriteriaList,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Choose how the group goes on, and count its tokens into `taken_V`, for the groups after it.

        Returns:
            For each of its W beams the row that it continues, its next token, and its score.
        """
        rows = slice(self.start, self.start + self.width)
        if self.done:  # its rows stay in the batch, and keep out of the others' way
            return torch.arange(len(ids_BT), device=ids_BT.device)[rows], ids_BT[rows, -1], scores_B[rows]
        scores_WV = log_p_BV[rows] - self.penalty * taken_V + scores_B[rows, None]
        # With so many, `width` beams can go on even if each of them could also end, in every way there is to end.
        count = self.width * max(2, 1 + len(_end_ids(self.config)))
        scores_C, places_C = scores_WV.flatten().topk(count)
        parents_C, tokens_C = self.start + places_C // len(taken_V), places_C % len(taken_V)
        candidates_CT = torch.cat([ids_BT[parents_C], tokens_C[:, None]], dim=1)
        stopped_C = stopping_criteria(candidates_CT, None)
        self._finish(candidates_CT, scores_C, stopped_C)
        # The best that do not stop, and where there are too few, the best of those that do.
        chosen_W = stopped_C.to(torch.int8).argsort(stable=True)[: self.width]
        scores_W = (scores_C + LOST * stopped_C)[chosen_W]
        self.done = bool(stopped_C.all()) or self._cannot_improve(candidates_CT.shape[1], scores_W[0])
        taken_V.index_add_(0, tokens_C[chosen_W], torch.ones_like(scores_W))
        return parents_C[chosen_W], tokens_C[chosen_W], scores_W

    def _finish(self, candidates_CT: Tensor, scores_C: Tensor, stopped_C: Tensor) -> None:
        """Keep those of the best `width` candidates that stop: the others are there only to go on from."""
        scores_C = scores_C / self._by_length(candidates_CT.shape[1])
        best = zip(scores_C.tolist(), candidates_CT, stopped_C.tolist(), strict=True)
        ended = [(score, ids_T) for score, ids_T, stopped in list(best)[: self.width] if stopped]
        self.finished = sorted([*self.finished, *ended], key=_worse_later)[: self.width]

    def _cannot_improve(self, length: int, best_running: Tensor) -> bool:
        """Whether no running beam can replace a finished hypothesis any more, as `early_stopping` says to judge it."""
        if len(self.finished) < self.width:
            return False
        if self.config.early_stopping is True:
            return True
        if self.config.early_stopping == "never" and self.config.length_penalty > 0:
            length = self.config.max_length
        return float(best_running / self._by_length(length)) <= self.finished[-1][0]

    def _by_length(self, length: int) -> float:
        return float((length - self.prompt_tokens) ** self.config.length_penalty)


def _worse_later(hypothesis: tuple[float, Tensor]) -> float:
    return -hypothesis[0]


def _forward(
    model: PreTrainedModel, ids_BT: Tensor, inputs: dict[str, Any], *, first: bool = False
) -> tuple[Tensor, dict[str, Any]]:
    """Run what the cache lacks: all of the ids at `first`, later their last column.

    Returns:
        The next token's logits, float32, shape (B, V), and the inputs of the next call.
    """
    prepared = model.prepare_inputs_for_generation(
        ids_BT, next_sequence_length=None if first else 1, is_first_iteration=first, **inputs
    )
    outputs = model(**prepared, return_dict=True)
    # A copy, or a view of the last position would keep the logits of the whole prompt.
    logits_BV = outputs.logits[:, -1].to(copy=True, dtype=torch.float32, device=ids_BT.device)
    return logits_BV, model._update_model_kwargs_for_generation(outputs, inputs)


def refuse_hidden_state(model: PreTrainedModel) -> None:
    """Refuse a model whose memory of the text is not in a cache whose rows can be chosen, where there is such a memory.

    RecurrentGemma keeps it in its layers, RWKV in a list: a beam would go on with what another one has read.

    Raises:
        ModelUnsupported: so it is.
    """
    if not getattr(model, "_is_stateful", False):
        return
    device = model.get_input_embeddings().weight.device
    ids_1L = torch.zeros((1, 2), dtype=torch.long, device="cpu" if device.type == "meta" else device)
    with torch.inference_mode():
        outputs = model(ids_1L, use_cache=True, return_dict=True)
    if not any(hasattr(outputs.get(name), "reorder_cache") for name in _CACHES):
        raise ModelUnsupported(
            f"{type(model).__name__} keeps what it has read outside a cache whose rows can be chosen, which beam "
            "search, diverse beam search and contrastive search need; take greedy or sampling"
        )


def _choose_rows(model: PreTrainedModel, inputs: dict[str, Any], rows: Tensor) -> None:
    """Make the cache's rows those that `rows` names, each as often as it is named."""
    cache = inputs.get("past_key_values")
    if cache is None or not hasattr(cache, "reorder_cache"):
        raise ModelUnsupported(
            f"{type(model).__name__} generates without a cache whose rows can be chosen (its cache: "
            f"{type(cache).__name__}), which contrastive and diverse beam search need; take another strategy"
        )
    cache.reorder_cache(rows)


@contextmanager
def _last_hidden_states(model: PreTrainedModel) -> Iterator[Callable[[], Tensor]]:
    """While this is open, the function that it gives returns the last layer's states of the latest forward pass.

    By a hook, because `output_hidden_states` would keep every layer's, for the whole prompt.
    """
    body = model.get_decoder()
    if body is model:
        raise ModelUnsupported(f"{type(model).__name__} has no body apart from its head to take hidden states from")
    caught: list[Tensor] = []
    hook = body.register_forward_hook(lambda _module, _inputs, output: caught.__setitem__(slice(None), [output[0]]))
    try:
        yield lambda: caught[0]
    finally:
        hook.remove()


def _directions(states: Tensor, ids: Tensor) -> Tensor:
    """Hidden states at length 1, on the device of `ids`; in float32, where bfloat16's cosines would tie."""
    return normalize(states.to(device=ids.device, dtype=torch.float32), dim=-1)


def _refuse_all_but_one_prompt(name: str, input_ids: Tensor, rows: int, inputs: dict[str, Any]) -> None:
    mask = inputs.get("attention_mask")
    if input_ids.shape[0] != rows or (mask is not None and not mask.all()):
        raise ValueError(
            f"{name} takes one prompt without padding, {rows} row(s) of ids; seen {input_ids.shape[0]} row(s)"
            f"{'' if mask is None else ' and a mask'}. Generate for one prompt after the other"
        )


def _end_ids(config: GenerationConfig) -> list[int]:
    ids = config.eos_token_id
    return [] if ids is None else ids if isinstance(ids, list) else [ids]


def _padding_id(config: GenerationConfig) -> int:
    return config.pad_token_id if config.pad_token_id is not None else next(iter(_end_ids(config)), 0)
