"""Encoding as the tokenizer does it by default, and pairs that do not speak one language."""

import copy
from typing import Any

import pytest
import torch
from tokenizers import AddedToken
from torch import nn
from transformers import PreTrainedTokenizer

from models.load import LoadedModel
from scoring.binoculars import Binoculars
from scoring.errors import IncompatiblePair
from scoring.perplexity import Tile
from scoring.tokens import check_same_tokens, encode
from tests.scoring.families import byte_tokenizer, loaded_model, random_model
from tests.scoring.oracle import oracle

NAMES = ("base", "instruct")


@pytest.mark.parametrize("bos", [True, False])
def test_bos_is_there_where_the_tokenizer_puts_it(bos: bool) -> None:
    tokenizer = byte_tokenizer(bos)
    (encoding,) = encode(tokenizer, ["abc"], 100)
    assert encoding.ids == tokenizer("abc")["input_ids"]
    assert len(encoding.ids) == 3 + bos


def test_cut_texts_say_so() -> None:
    long, fitting = encode(byte_tokenizer(), ["abcdef", "abc"], 4)
    assert (long.truncated, fitting.truncated) == (True, False)
    assert long.ids == fitting.ids


class SlowTokenizer(PreTrainedTokenizer):
    """A token a letter, without the Rust library: it does not say that it cut a text."""

    def __init__(self) -> None:
        self._ids = {"<unk>": 0} | {chr(code): code for code in range(32, 127)}
        super().__init__(unk_token="<unk>")

    @property
    def vocab_size(self) -> int:
        return 127

    def get_vocab(self) -> dict[str, int]:
        return dict(self._ids)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return list(text)

    def _convert_token_to_id(self, token: str) -> int:
        return self._ids.get(token, 0)

    def _convert_id_to_token(self, index: int) -> str:
        return chr(index)


def test_a_slow_tokenizer_cuts_texts_and_says_so() -> None:
    long, fitting = encode(SlowTokenizer(), ["abcdef", "abcd"], 4)
    assert (long.truncated, fitting.truncated) == (True, False)
    assert long.ids == fitting.ids == [ord(letter) for letter in "abcd"]
    assert long.words_before("abcdef", 2) is None


def test_words_that_a_prefix_reaches_into() -> None:
    text = "ab cd ef"
    (encoding,) = encode(byte_tokenizer(), [text], 100)
    assert [encoding.words_before(text, tokens) for tokens in (1, 2, 3, 4, 5, 9)] == [0, 1, 1, 1, 2, 3]


def test_nothing_to_encode() -> None:
    assert encode(byte_tokenizer(), [], 10) == []


def test_equal_tokenizers_agree_whatever_their_padding() -> None:
    check_same_tokens(byte_tokenizer(padding_side="left"), byte_tokenizer(padding_side="right"), NAMES)


def test_a_missing_bos_is_shown_as_the_first_difference() -> None:
    with pytest.raises(IncompatiblePair, match=r"token 0 of 'The quick.*base has ids \[1, .*instruct has \["):
        check_same_tokens(byte_tokenizer(bos=True), byte_tokenizer(bos=False), NAMES)


def test_a_special_token_of_another_id_is_shown() -> None:
    base, instruct = byte_tokenizer(), byte_tokenizer()
    base.add_special_tokens({"additional_special_tokens": [AddedToken("<x>"), AddedToken("<y>")]})
    instruct.add_special_tokens({"additional_special_tokens": [AddedToken("<y>"), AddedToken("<x>")]})
    with pytest.raises(IncompatiblePair, match=r"'<x>' is id 259 to base but 260 to instruct"):
        check_same_tokens(base, instruct, NAMES)


def test_special_tokens_that_only_one_has_are_no_contradiction() -> None:
    base, instruct = byte_tokenizer(), byte_tokenizer()
    instruct.add_special_tokens({"additional_special_tokens": [AddedToken("<turn>")]})
    check_same_tokens(base, instruct, NAMES)


def of_width(width: int, tokenizer: Any = None, seed: int = 5) -> LoadedModel:
    model = random_model("llama", seed)
    model.resize_token_embeddings(width, mean_resizing=False)
    with torch.no_grad():  # padding that would be seen: it is likelier than any token
        model.lm_head.weight[259:] *= 5
    return loaded_model(model, f"of-{width}", tokenizer)


def head_cut_to(loaded: LoadedModel, width: int) -> LoadedModel:
    """Copy a model with a head of fewer rows, without the scorer's code."""
    model = copy.deepcopy(loaded.model)
    head = nn.Linear(32, width, bias=False)
    head.weight = nn.Parameter(model.lm_head.weight[:width].clone())
    model.lm_head = head
    return loaded_model(model, loaded.files.name)


@pytest.mark.parametrize("widths", [(300, 364), (364, 300), (259, 300)])
@pytest.mark.parametrize("alignment", ["reference", "aligned"])
def test_heads_padded_to_different_widths_are_scored_over_what_they_share(
    widths: tuple[int, int], alignment: Any
) -> None:
    observer, performer = (of_width(width, seed=seed) for seed, width in enumerate(widths))
    texts = ["It was the best of times.", "Naïve café, 中文字符 🙂"]
    scores = Binoculars(observer, performer, alignment=alignment, tile=Tile(7, 33)).score(texts)
    cut = [head_cut_to(loaded, min(widths)) for loaded in (observer, performer)]
    for text, score in zip(texts, scores, strict=True):
        log_ppl, log_xppl = oracle(cut[0], cut[1], observer.tokenizer(text)["input_ids"], alignment)
        assert (score.log_ppl, score.log_xppl) == pytest.approx((log_ppl, log_xppl), rel=1e-6)


def test_models_that_cannot_be_split_share_a_width_too() -> None:
    class Plain(nn.Linear):
        pass

    pair = [of_width(300, seed=0), of_width(364, seed=1)]
    expected = Binoculars(*pair).score(["It was the best of times."])[0].score
    for loaded in pair:
        whole = Plain(32, loaded.model.lm_head.out_features, bias=False)
        whole.weight = loaded.model.lm_head.weight
        loaded.model.lm_head = whole
    assert Binoculars(*pair).score(["It was the best of times."])[0].score == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("wider", [0, 1])
def test_another_width_that_leaves_out_tokens_is_an_incompatible_pair(wider: int) -> None:
    tokenizers = [byte_tokenizer(), byte_tokenizer()]
    tokenizers[wider].add_tokens([f"<{number}>" for number in range(42)])  # 301 ids, of which 300 have logits
    pair = [of_width(364 if index == wider else 300, tokenizers[index]) for index in (0, 1)]
    with pytest.raises(IncompatiblePair, match=r"of-3.. gives 3.. logits a token but .* know 301 tokens, so that"):
        Binoculars(*pair)
