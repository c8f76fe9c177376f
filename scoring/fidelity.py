"""The fidelity of a model to a reference: how much of the reference's predictions is left after quantization.

One forward pass of each model, and no tensor of tokens × vocabulary: logits exist a tile at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from models.load import LoadedModel
from scoring.arguments import MIN_TOKENS, check_tile, check_whole_number
from scoring.fidelity_results import FragmentFidelity, TextFidelity, TokenFidelity, fragment_fidelity
from scoring.fragments import Fragment
from scoring.pair import Pair
from scoring.pair_texts import PUBLISHED_MAX_TOKENS, PairTexts, TextResult, as_list
from scoring.perplexity import Tile
from scoring.tokens import Encoding


class Fidelity(PairTexts[TokenFidelity]):
    """A reference and the model to compare with it, checked and ready to read texts."""

    def __init__(
        self,
        reference: LoadedModel,
        quantized: LoadedModel,
        *,
        max_tokens: int = PUBLISHED_MAX_TOKENS,
        token_budget: int | None = None,
        tile: Tile | None = None,
    ) -> None:
        """Split bodies and heads, and check that the models fit together.

        Args:
            reference: The model at full precision; its tokenizer encodes the texts.
            quantized: The same model, quantized. Where it is the same object, it runs once.
            max_tokens: Texts with more tokens are cut, and their results say `truncated`; 2 or more.
            token_budget: Tokens of a batch with padding. None: by device. Halves when memory runs out.
            tile: Tokens and vocabulary columns of logits in memory at a time. None: by device.

        Raises:
            ArgumentError: an argument has a value that is not allowed.
            IncompatiblePair: tokenizers or logits of the models differ; the message shows where.
            ModelUnsupported: a model sees later tokens, or changes its positions for texts that `max_tokens` allows.
        """
        max_tokens = check_whole_number("max_tokens", max_tokens, MIN_TOKENS)
        budget = None if token_budget is None else check_whole_number("token_budget", token_budget, 1)
        super().__init__(Pair(reference, quantized, tile=check_tile(tile)), max_tokens, budget)

    def compare(self, texts: Iterable[object]) -> list[TextFidelity]:
        """Compare the models on each text, in the order given; texts are given as to `Binoculars.score`.

        A text that cannot be read has None for its metrics and a `null_reason`; the other texts are not affected.
        """
        return [_fidelity_of(result) for result in self._text_results(as_list(texts))]

    def compare_fragments(self, fragments: Iterable[Fragment]) -> Iterator[FragmentFidelity]:
        """Compare on a stream of fragments, in the order given: a result for each fragment, or each of its prefixes.

        A fragment that does not fit into memory even alone has the null reason `out_of_memory`, and its
        `needs_more_memory` is True: compare on a larger slot.
        """
        for one in self._fragment_results(fragments):
            yield fragment_fidelity(one.fragment, _fidelity_of(one.result), one.prefix_tokens, one.length_words)

    def _sums_of(self, encodings: Sequence[Encoding]) -> list[TokenFidelity]:
        return self.pair.token_fidelity([encoding.ids for encoding in encodings])


def _fidelity_of(result: TextResult[TokenFidelity]) -> TextFidelity:
    if result.sums is None or result.tokens is None:
        return TextFidelity(length_tokens=result.tokens, truncated=result.truncated, null_reason=result.null_reason)
    return replace(result.sums.fidelity(result.tokens), truncated=result.truncated)
