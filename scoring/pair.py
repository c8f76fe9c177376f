"""Observer and performer together: token ids in, numbers of every token out: of the score, the panel or the fidelity.

Shapes: B texts, L padded length, T real tokens of all texts, X width of a state. Knows neither texts nor fragments.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from models.errors import ModelUnsupported
from models.load import LoadedModel
from models.positions import readable_tokens, steady_tokens
from scoring.batching import collate
from scoring.fidelity_results import TokenFidelity
from scoring.fidelity_sums import fidelity_sums
from scoring.heads import ScorableModel, WholeModel, scorable_model
from scoring.panel import Floats, TokenPanel
from scoring.panel_sums import panel_sums
from scoring.perplexity import NO_TARGET, Tile, token_sums
from scoring.results import TokenSums
from scoring.tokens import check_same_tokens, shared_vocabulary

Placement = Literal["same", "split"]
WHOLE_LOGITS: Final = 2**28
"""Logits of a batch, at most, where a model cannot be split: 1 GiB of float32."""
UNBOUNDED: Final = 10**9
"""Positions of a model that names no limit."""

_Compute = Callable[
    [ScorableModel, ScorableModel, Tensor, Tensor, Tensor, Tile | None],
    tuple[Tensor, ...],
]
"""A loop over tiles, such as `scoring.perplexity.token_sums`: columns [T] of numbers."""


class Pair:
    """Two models with one tokenizer, each split into body and head where the split changes no logits."""

    def __init__(
        self,
        observer: LoadedModel,
        performer: LoadedModel,
        placement: Placement = "same",
        tile: Tile | None = None,
        panel: bool = False,
    ) -> None:
        """Check that the models fit together, and probe their heads. A model given twice runs once.

        `panel`: compute what the panel needs, too.

        Raises:
            IncompatiblePair: tokenizers or logits differ; the message shows the first difference.
            ModelUnsupported: a model sees later tokens, or other texts of a batch.
        """
        self.observer, self.performer = observer, performer
        self._concurrent = placement == "split" and observer is not performer
        self._tile = tile
        self._panel = panel
        names = observer.files.name, performer.files.name
        if observer is not performer:
            check_same_tokens(observer.tokenizer, performer.tokenizer, names)
        q = scorable_model(performer)
        o = q if observer is performer else scorable_model(observer)
        width = shared_vocabulary((o.vocabulary, q.vocabulary), (observer.tokenizer, performer.tokenizer), names)
        self._q: ScorableModel = q.first_logits(width)
        self._o: ScorableModel = self._q if o is q else o.first_logits(width)

    @property
    def max_positions(self) -> int:
        """Tokens that both models have positions for."""
        return min(readable_tokens(loaded.model) or UNBOUNDED for loaded in (self.observer, self.performer))

    def refuse_unsteady_positions(self, max_tokens: int) -> None:
        """Refuse a model whose positions change for a whole batch with its longest text, if texts may be that long.

        Raises:
            ModelUnsupported: the message has the length up to which the positions stay.
        """
        longest = min(max_tokens, self.max_positions)
        for loaded in (self.observer, self.performer):
            steady = steady_tokens(loaded.model)
            if steady is not None and steady < longest:
                raise ModelUnsupported(
                    f"model {loaded.files.name!r} has rotary positions that change for all texts of a batch as "
                    f"soon as one has more than {steady} tokens, and max_tokens is {max_tokens}: scores, and those of "
                    f"prefixes, would depend on the batch; set max_tokens to {steady} or less"
                )

    @property
    def id_limit(self) -> int:
        """Exclusive upper limit of the ids for which both models have an embedding and a logit."""
        embeddings = (loaded.model.get_input_embeddings() for loaded in (self.observer, self.performer))
        return min(self._q.vocabulary, *(len(embedding.weight) for embedding in embeddings))

    def capped_budget(self, token_budget: int) -> int:
        """Return the token budget, smaller where a model that cannot be split holds the logits of a whole batch."""
        whole = isinstance(self._o, WholeModel) or isinstance(self._q, WholeModel)
        return min(token_budget, max(1, WHOLE_LOGITS // self._q.vocabulary)) if whole else token_budget

    def token_sums(self, texts: Sequence[Sequence[int]]) -> list[TokenSums]:
        """Return the numbers of each text's tokens; no text was cut."""
        return [
            TokenSums(nll_L, xent_L, truncated=False, panel=TokenPanel(*rest) if rest else None)
            for nll_L, xent_L, *rest in self._columns(texts, panel_sums if self._panel else token_sums)
        ]

    def token_fidelity(self, texts: Sequence[Sequence[int]]) -> list[TokenFidelity]:
        """Return how close the performer is to the observer at each token of each text."""
        return [TokenFidelity(*columns) for columns in self._columns(texts, fidelity_sums)]

    def _columns(self, texts: Sequence[Sequence[int]], compute: _Compute) -> Iterator[tuple[Floats, ...]]:
        """Yield the columns that `compute` makes of the states, cut into those of each text."""
        ids_BL, real_BL = collate(texts, pad_id=0)
        target_T = torch.tensor([target for ids in texts for target in [*ids[1:], NO_TARGET]])
        with torch.inference_mode():
            state_o_TX, state_q_TX = self._states(ids_BL, real_BL)
            columns = compute(self._o, self._q, state_o_TX, state_q_TX, target_T, self._tile)
        ends = np.cumsum([len(ids) for ids in texts])[:-1]
        return zip(*(np.split(column_T.numpy(), ends) for column_T in columns), strict=True)

    def _states(self, ids_BL: Tensor, real_BL: Tensor) -> tuple[Tensor, Tensor]:
        if self._o is self._q:
            state_TX = _states_of(self._q, self.performer, ids_BL, real_BL)
            return state_TX, state_TX
        if not self._concurrent:
            return (
                _states_of(self._o, self.observer, ids_BL, real_BL),
                _states_of(self._q, self.performer, ids_BL, real_BL),
            )
        # a thread for each body: every device has its own stream, and launches on them need not wait for each other
        with ThreadPoolExecutor(max_workers=1) as pool:
            observing = pool.submit(_states_of, self._o, self.observer, ids_BL, real_BL)
            state_q_TX = _states_of(self._q, self.performer, ids_BL, real_BL)
            return observing.result(), state_q_TX


@torch.inference_mode()  # again: the mode holds for the thread that sets it, and this may run in another
def _states_of(model: ScorableModel, loaded: LoadedModel, ids_BL: Tensor, real_BL: Tensor) -> Tensor:
    return model.states(ids_BL.to(loaded.input_device), real_BL)
