"""Contrastive search, which transformers no longer ships, as a callable for `model.generate(custom_generate=...)`.

Shapes: K candidates, V vocabulary, T tokens so far, L tokens of the prompt, D hidden size.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList

from models.decoding_steps import choose_rows, forward, refuse_all_but_one_prompt
from models.errors import ModelUnsupported


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
    """Generate tokens that are likely and unlike the tokens before them (Su et al. 2022).

    Of the k likeliest tokens v after the text x, each step takes

        argmax over v of  (1 - alpha) * p(v | x) - alpha * max over j of cos(h_v, h_j)

    h_v is the last layer's hidden state of v after x. h_j are the hidden states of all tokens of x, those of the prompt
    included. Each step runs the k candidates as k rows of one token. Then every row of the cache becomes a copy of the
    chosen candidate's row. n tokens take n + 1 forward passes.

    Args:
        model: a causal language model whose body returns the last hidden states.
        input_ids: the prompt, shape (1, L).
        logits_processor: called once per step, with the ids so far and the next token's logits.
        stopping_criteria: called after each token.
        generation_config: `max_length` bounds T.
        alpha: weight of the second term, from 0 (greedy search) to 1.
        k: number of candidates; 1 is greedy search.
        inputs: further inputs of the model, the cache among them.

    Returns:
        Prompt and new tokens, shape (1, T).

    Raises:
        ValueError: there are several prompts, there is padding, or alpha or k is out of range.
        ModelUnsupported: the model has no body apart from its head, or no cache whose rows can be chosen.
    """
    if not 0 <= alpha <= 1 or k < 1:
        raise ValueError(f"contrastive search takes 0 <= alpha <= 1 and k >= 1, not alpha {alpha} and k {k}")
    refuse_all_but_one_prompt("contrastive search", input_ids, 1, inputs)
    ids_1T = input_ids
    with _last_hidden_states(model) as last_hidden:
        logits_1V, inputs = forward(model, ids_1T, inputs, first=True)
        prompt_LD = _directions(last_hidden()[0], ids_1T)
        seen_TD = prompt_LD.new_empty(generation_config.max_length, prompt_LD.shape[1])
        seen_TD[: len(prompt_LD)] = prompt_LD
        choose_rows(model, inputs, ids_1T.new_zeros(k))
        _, inputs = model._expand_inputs_for_generation(expand_size=k, **inputs)
        while True:
            scores_1V = logits_processor(ids_1T, logits_1V)
            scores_1K, tokens_1K = scores_1V.topk(k)
            p_K = scores_1V.softmax(-1).gather(1, tokens_1K)[0]
            candidates_KT = torch.cat([ids_1T.expand(k, -1), tokens_1K.T], dim=1)
            logits_KV, inputs = forward(model, candidates_KT, inputs)
            states_KD = _directions(last_hidden()[:, -1], ids_1T)
            likeness_K = (states_KD @ seen_TD[: ids_1T.shape[1]].T).amax(dim=1)
            merit_K = (1 - alpha) * p_K - alpha * likeness_K
            # A token that a processor forbids has p = 0, and could still win by its second term.
            best_1 = merit_K.masked_fill(scores_1K[0] == -torch.inf, -torch.inf).argmax(keepdim=True)
            seen_TD[ids_1T.shape[1]] = states_KD[best_1][0]
            ids_1T, logits_1V = candidates_KT[best_1], logits_KV[best_1]
            if stopping_criteria(ids_1T, None).all():
                return ids_1T
            choose_rows(model, inputs, best_1.expand(k))


@contextmanager
def _last_hidden_states(model: PreTrainedModel) -> Iterator[Callable[[], Tensor]]:
    """Yield a function that returns the last layer's hidden states of the latest forward pass, shape (rows, tokens, D).

    A hook takes the states, because `output_hidden_states` would keep the states of every layer for the whole prompt.

    Raises:
        ModelUnsupported: the model has no body apart from its head.
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
    """Return hidden states as unit vectors in float32, on the device of `ids`: in bfloat16, cosines would tie."""
    return normalize(states.to(device=ids.device, dtype=torch.float32), dim=-1)
