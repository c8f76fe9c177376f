"""Token ids of texts, and checks that two models mean the same by an id.

Special tokens are added as the tokenizer does by default, as in the authors' code. So a bos token that the tokenizer
puts in front counts as a token. Nothing is padded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from transformers import PreTrainedTokenizerBase

from models.errors import ModelUnsupported
from scoring.errors import IncompatiblePair

PROBE_TEXTS: Final = (
    "The quick brown fox jumps over the lazy dog.",
    "It's 3.14159 - isn't it? (I'd say: 'yes', \"no\", maybe...)",
    "Runs  of   blanks,\ttabs\nand\n\nlines \n end here ",
    "Naïve café, Straße, Ελληνικά, Русский, 中文字符, 日本語, العربية, 🙂👍🏽",
    "def f(x: int) -> str:\n    return f'{x!r}' + \"\\n\"  # comment",
    "UPPER lower CamelCase snake_case 1234567890 00 1e-5 $9.99 50%",
)


@dataclass(frozen=True)
class Encoding:
    """The token ids of one text."""

    ids: list[int]
    truncated: bool
    """True where the text had more tokens than the limit, and was cut."""
    char_ends: list[int] | None
    """End of each token in the text, in characters; 0 for a special token. None with a slow tokenizer."""

    def words_before(self, text: str, tokens: int) -> int | None:
        """Count the words of `text` that its first `tokens` tokens cover or reach into; None with a slow tokenizer."""
        return None if self.char_ends is None else len(text[: max(self.char_ends[:tokens])].split())


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int) -> list[Encoding]:
    """Encode each text alone, cut to `max_tokens` tokens, special tokens included."""
    if not texts:
        return []
    # a slow tokenizer does not say that it cut a text, so it is asked for an extra token
    limit = max_tokens if tokenizer.is_fast else max_tokens + 1
    batch = tokenizer(list(texts), truncation=True, max_length=limit)
    rows = zip(batch["input_ids"], batch.encodings or [None] * len(texts), strict=True)
    return [_encoding(ids, fast_encoding, max_tokens) for ids, fast_encoding in rows]


def token_spans(tokenizer: PreTrainedTokenizerBase, text: str) -> list[tuple[int, int]]:
    """Return the first character of each token of a text, and the one after its last; special tokens are not added.

    Raises:
        ModelUnsupported: the tokenizer does not say where its tokens are in the text, as slow ones do not.
    """
    if not tokenizer.is_fast:
        raise ModelUnsupported(
            f"{type(tokenizer).__name__} is a slow tokenizer, which does not say where its tokens are in a text: give "
            "lengths of fragments in words, or take a model that has a tokenizer.json"
        )
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return [(start, end) for start, end in offsets]


def _encoding(ids: list[int], fast_encoding: object, max_tokens: int) -> Encoding:
    if fast_encoding is None:
        return Encoding(ids[:max_tokens], len(ids) > max_tokens, None)
    overflowing: list[object] = getattr(fast_encoding, "overflowing")  # noqa: B009 - untyped Rust object
    offsets: list[tuple[int, int]] = getattr(fast_encoding, "offsets")  # noqa: B009
    return Encoding(ids, bool(overflowing), [end for _, end in offsets])


def check_same_tokens(
    observer: PreTrainedTokenizerBase, performer: PreTrainedTokenizerBase, names: tuple[str, str]
) -> None:
    """Refuse a pair whose tokenizers give other ids for a probe text or a special token.

    The observer's tokenizer encodes for both models, so each id must mean the same token to the performer. The authors
    compare vocabularies, which does not show a different pre-tokenizer or bos token.

    Raises:
        IncompatiblePair: the tokenizers differ; the message shows the first difference.
    """
    for text in PROBE_TEXTS:
        _compare_ids(text, observer(text)["input_ids"], performer(text)["input_ids"], names)
    for token in sorted({*observer.all_special_tokens, *performer.all_special_tokens}):
        ids = _token_id(observer, token), _token_id(performer, token)
        if None not in ids and ids[0] != ids[1]:
            raise IncompatiblePair(
                f"special token {token!r} is id {ids[0]} to {names[0]} but {ids[1]} to {names[1]}; {REMEDY}"
            )


def shared_vocabulary(
    widths: tuple[int, int], tokenizers: tuple[PreTrainedTokenizerBase, PreTrainedTokenizerBase], names: tuple[str, str]
) -> int:
    """Return the number of logits that both models have.

    Where it differs between the models, the logits of only one model must be padding, beyond every id of the
    tokenizers: models with one tokenizer are padded to different widths, and padding is never a target.

    Raises:
        IncompatiblePair: the numbers differ, and the smaller number leaves out ids of a tokenizer.
    """
    width = min(widths)
    if widths[0] == widths[1]:
        return width
    ids = max(max(tokenizer.get_vocab().values(), default=-1) + 1 for tokenizer in tokenizers)
    if width < ids:
        raise IncompatiblePair(
            f"{names[0]} gives {widths[0]} logits a token but {names[1]} gives {widths[1]}, and their tokenizers know "
            f"{ids} tokens, so that this is more than padding; {REMEDY}"
        )
    return width


REMEDY: Final = "a pair needs one tokenizer: take a base model and the instruct model tuned from it"


def _compare_ids(text: str, ids_o: list[int], ids_p: list[int], names: tuple[str, str]) -> None:
    if ids_o == ids_p:
        return
    shared = min(len(ids_o), len(ids_p))
    place = next((i for i in range(shared) if ids_o[i] != ids_p[i]), shared)
    seen_o, seen_p = (ids[place : place + 4] for ids in (ids_o, ids_p))
    raise IncompatiblePair(
        f"tokenizers differ at token {place} of {text!r}: {names[0]} has ids {seen_o}…, "
        f"{names[1]} has {seen_p}…; {REMEDY}"
    )


def _token_id(tokenizer: PreTrainedTokenizerBase, token: str) -> int | None:
    token_id: int | None = tokenizer.convert_tokens_to_ids(token)
    unknown = token_id is None or (token_id == tokenizer.unk_token_id and token != tokenizer.unk_token)
    return None if unknown else token_id
