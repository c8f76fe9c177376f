"""Decoding strategies that transformers no longer ships.

Both are callables for `model.generate(custom_generate=...)`: generate() prepares ids, cache, logits processors and
stopping criteria as for its own strategies, and the callable runs the loop. The strategy's own parameters are passed as
arguments of generate() too. Each call takes one prompt. Nothing here knows benchmarks or timing.
"""

from models.contrastive_search import contrastive_search
from models.decoding_steps import refuse_hidden_state
from models.diverse_beam_search import diverse_beam_search

__all__ = ["contrastive_search", "diverse_beam_search", "refuse_hidden_state"]
