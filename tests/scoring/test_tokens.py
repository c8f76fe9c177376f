"""Encoding as the tokenizer does it by default, and pairs that do not speak one language."""

from typing import Any

import pytest
from tokenizers import AddedToken

from models.load import LoadedModel
from scoring.binoculars import Binoculars
from scoring.errors import IncompatiblePair
from scoring.tokens import check_same_tokens, encode
from tests.scoring.families import byte_tokenizer, loaded_model, random_model

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


def test_another_width_of_logits_is_an_incompatible_pair(llama_pair: tuple[LoadedModel, LoadedModel]) -> None:
    wider: Any = random_model("llama", seed=5)
    wider.resize_token_embeddings(320, mean_resizing=False)
    with pytest.raises(IncompatiblePair, match="gives 300 logits a token but wide gives 320"):
        Binoculars(llama_pair[0], loaded_model(wider, "wide"))
