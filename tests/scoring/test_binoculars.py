"""Scores against the oracle on every family, and in every shape of batch."""

import logging
import math
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import OPTConfig, OPTForCausalLM

from models.load import LoadedModel
from scoring.binoculars import Binoculars
from scoring.fragments import Fragment
from scoring.pair import WHOLE_LOGITS
from scoring.pair_texts import null_reason_of
from scoring.perplexity import Tile
from scoring.results import NULL_REASONS, Score
from tests.scoring.families import CONFIGS, byte_tokenizer, loaded_model, random_model, random_pair
from tests.scoring.oracle import oracle

Models = tuple[LoadedModel, LoadedModel]
TOLERANCE = 1e-5
UNEVEN = Tile(tokens=7, columns=33)
"""Divides neither the tokens nor the vocabulary."""
TEXTS = [
    "a b",
    "It was the best of times, it was the worst of times.",
    "Naïve café, 中文字符 🙂 and </s> in the middle of it.",
    " leading and   runs\n\nof blanks ",
    "word " * 60,
    "def f(x):\n    return x",
]


def expected(models: Models, text: str, alignment: str = "reference") -> float:
    log_ppl, log_xppl = oracle(*models, models[0].tokenizer(text)["input_ids"], alignment)
    return log_ppl / log_xppl


def values(scores: list[Score]) -> list[float]:
    assert all(score.score is not None for score in scores), scores
    return [score.score for score in scores if score.score is not None]


@pytest.mark.parametrize("family", CONFIGS)
def test_scores_equal_the_oracle_without_falling_back(family: str, caplog: pytest.LogCaptureFixture) -> None:
    models = random_pair(family)
    with caplog.at_level(logging.WARNING, logger="scoring"):
        scores = Binoculars(*models, tile=UNEVEN).score(TEXTS)
    assert not [record for record in caplog.records if record.name.startswith("scoring")]
    assert values(scores) == pytest.approx([expected(models, text) for text in TEXTS], abs=TOLERANCE)


@pytest.mark.parametrize("alignment", ["reference", "aligned"])
def test_parts_of_the_score(llama_pair: Models, alignment: str) -> None:
    (score,) = Binoculars(*llama_pair, alignment=alignment).score([TEXTS[1]])  # type: ignore[arg-type]
    ids = llama_pair[0].tokenizer(TEXTS[1])["input_ids"]
    log_ppl, log_xppl = oracle(*llama_pair, ids, alignment)
    assert score.log_ppl == pytest.approx(log_ppl, abs=TOLERANCE)
    assert score.log_xppl == pytest.approx(log_xppl, abs=TOLERANCE)
    assert (score.n_nll, score.n_xent) == (len(ids) - 1, len(ids) - (alignment == "aligned"))
    assert score.length_tokens == len(ids)
    assert score.nll_sum == pytest.approx(log_ppl * (len(ids) - 1), abs=1e-4)


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_the_tokenizers_padding_changes_nothing(bos: bool, padding_side: str) -> None:
    observer, performer = (
        loaded_model(random_model("mistral", seed), tokenizer=byte_tokenizer(bos, padding_side)) for seed in (3, 4)
    )
    scores = values(Binoculars(observer, performer).score(TEXTS))
    assert scores == pytest.approx([expected((observer, performer), text) for text in TEXTS], abs=TOLERANCE)


@pytest.mark.parametrize("family", ["llama", "gemma3", "falcon", "gpt2"])
@pytest.mark.parametrize("token_budget", [1, 64, 100_000])
def test_a_score_does_not_depend_on_its_batch(family: str, token_budget: int) -> None:
    models = random_pair(family)
    alone = values([Binoculars(*models).score([text])[0] for text in TEXTS])
    order = random.Random(token_budget).sample(range(len(TEXTS)), len(TEXTS))
    shuffled = Binoculars(*models, token_budget=token_budget).score([TEXTS[i] for i in order])
    assert values(shuffled) == pytest.approx([alone[i] for i in order], abs=TOLERANCE)


def test_one_model_twice_runs_once(llama_pair: Models) -> None:
    observer, _ = llama_pair
    calls = []
    handle = observer.model.base_model.register_forward_hook(lambda *_: calls.append(1))
    binoculars = Binoculars(observer, observer)
    calls.clear()
    scores = values(binoculars.score(TEXTS))
    handle.remove()
    assert len(calls) == 1
    expected_scores = [expected((observer, observer), text) for text in TEXTS]
    assert scores == pytest.approx(expected_scores, abs=TOLERANCE)


def test_split_placement_scores_the_same(llama_pair: Models) -> None:
    together = values(Binoculars(*llama_pair).score(TEXTS))
    assert values(Binoculars(*llama_pair, placement="split").score(TEXTS)) == pytest.approx(together, abs=TOLERANCE)


def test_split_placement_runs_both_bodies_at_the_same_time(llama_pair: Models) -> None:
    binoculars = Binoculars(*llama_pair, placement="split")
    together = threading.Barrier(2)

    def wait_for_the_other(*_: object) -> None:
        together.wait(timeout=60)

    handles = [loaded.model.base_model.register_forward_pre_hook(wait_for_the_other) for loaded in llama_pair]
    try:
        (score,) = binoculars.score([TEXTS[1]])
    finally:
        for handle in handles:
            handle.remove()
    assert score.score == pytest.approx(expected(llama_pair, TEXTS[1]), abs=TOLERANCE)


def test_split_placement_loads_the_observer_on_the_first_device_and_the_performer_on_the_last(
    llama_pair: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name = dict(zip(("base", "instruct"), llama_pair, strict=True))
    devices: dict[str, tuple[str, ...]] = {}

    def load_model(name: str, **options: Any) -> LoadedModel:
        devices[name] = options["devices"]
        return by_name[name]

    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setattr("scoring.binoculars.load_model", load_model)
    Binoculars("base", "instruct", placement="split")
    assert devices == {"base": ("cuda:0",), "instruct": ("cuda:2",)}
    Binoculars("base", "instruct")
    assert devices == dict.fromkeys(by_name, ("cuda:0", "cuda:1", "cuda:2"))


def test_defaults_are_those_of_the_authors(llama_pair: Models) -> None:
    binoculars = Binoculars(*llama_pair)
    (score,) = binoculars.score(["x" * 590])
    assert (score.length_tokens, score.truncated) == (512, True)
    assert (score.n_nll, score.n_xent) == (511, 512)


def test_the_observers_tokenizer_encodes_for_both(llama_pair: Models) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["zebra"])  # agrees on every probe text
    observer, performer = llama_pair
    (score,) = Binoculars(observer, loaded_model(performer.model, "other", tokenizer)).score(["zebra"])
    assert score.length_tokens == 1 + len("zebra")


def test_a_head_that_is_not_known_takes_the_plain_path(caplog: pytest.LogCaptureFixture) -> None:
    class Squared(nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return super().forward(hidden).square() / 10

    models = random_pair("llama")
    for loaded in models:
        squared = Squared(32, 300, bias=False)
        squared.load_state_dict(loaded.model.lm_head.state_dict())
        loaded.model.lm_head = squared
    with caplog.at_level(logging.WARNING):
        scores = Binoculars(*models, tile=UNEVEN).score(TEXTS)
    assert [record.message.split(" is ")[0] for record in caplog.records] == ["llama-instruct", "llama-base"]
    assert Binoculars(*models).pair.capped_budget(10**9) == WHOLE_LOGITS // 300, "whole logits are held by batch"
    assert Binoculars(*random_pair("llama")).pair.capped_budget(10**9) == 10**9
    assert values(scores) == pytest.approx([expected(models, text) for text in TEXTS], abs=TOLERANCE)


def test_texts_without_a_score_say_why(llama_pair: Models) -> None:
    observer, performer = (loaded_model(loaded.model, tokenizer=byte_tokenizer(bos=False)) for loaded in llama_pair)
    scores = Binoculars(observer, performer).score(["", " \n\t", "a", TEXTS[1]])
    assert [score.null_reason for score in scores] == ["empty_text", "empty_text", "one_token", None]
    assert [score.length_tokens for score in scores[:3]] == [None, None, 1]
    assert scores[2].score is scores[2].nll_sum is scores[2].log_ppl is None
    assert scores[3].score is not None


def test_long_texts_are_cut_and_say_so(llama_pair: Models) -> None:
    long_text = "the quick brown fox " * 1000
    exactly = long_text[:63]  # with bos: 64 tokens
    cut, whole = Binoculars(*llama_pair, max_tokens=64).score([long_text, exactly])
    assert (cut.truncated, whole.truncated) == (True, False)
    assert cut.length_tokens == whole.length_tokens == 64
    assert cut.score == pytest.approx(whole.score, abs=TOLERANCE)


def test_a_model_is_never_asked_beyond_its_positions() -> None:
    binoculars = Binoculars(*random_pair("gpt2"), max_tokens=10_000)
    (score,) = binoculars.score(["x" * 5000])
    assert (score.length_tokens, score.truncated) == (600, True)


def test_very_long_texts_equal_the_oracle() -> None:
    models = random_pair("falcon")
    text = "".join(random.Random(0).choices("abcdefgh ", k=699))
    (score,) = Binoculars(*models, max_tokens=5000, token_budget=100).score([text])
    assert (score.length_tokens, score.truncated) == (700, False)
    assert score.score == pytest.approx(expected(models, text), abs=TOLERANCE)


def test_overflow_is_a_reason_and_no_number(llama_pair: Models) -> None:
    broken = random_model("llama", seed=9)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    (score,) = Binoculars(loaded_model(broken), llama_pair[1]).score([TEXTS[1]])
    assert (score.null_reason, score.score, score.log_xppl) == ("not_finite", None, None)


FRAME = pd.DataFrame({"text": TEXTS}, index=[7, 3, 3, 0, 1, 2])
SHAPES: dict[str, Callable[[], Any]] = {
    "a tuple": lambda: tuple(TEXTS),
    "a generator": lambda: (text for text in TEXTS),
    "values of a dict": lambda: dict(enumerate(TEXTS)).values(),
    "an array of text": lambda: np.array(TEXTS),
    "an array of objects": lambda: np.array(TEXTS, dtype=object),
    "a Series": lambda: FRAME["text"],
    "a Series of objects": lambda: FRAME["text"].astype(object),
    "a categorical Series": lambda: FRAME["text"].astype("category"),
    "a Series back to front and back again": lambda: FRAME["text"].iloc[::-1].iloc[::-1],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_may_come_in_any_ordered_shape(shape: str, llama_pair: Models) -> None:
    expected_scores = [expected(llama_pair, text) for text in TEXTS]
    assert values(Binoculars(*llama_pair).score(SHAPES[shape]())) == pytest.approx(expected_scores, abs=TOLERANCE)


def test_a_series_is_scored_in_its_order_whatever_its_index(llama_pair: Models) -> None:
    binoculars = Binoculars(*llama_pair)
    backwards = values(binoculars.score(FRAME["text"].iloc[::-1]))
    assert backwards == pytest.approx([expected(llama_pair, text) for text in TEXTS[::-1]], abs=TOLERANCE)
    filtered = FRAME[FRAME["text"].str.len() > 40]["text"]
    assert values(binoculars.score(filtered)) == pytest.approx(
        [expected(llama_pair, text) for text in TEXTS if len(text) > 40], abs=TOLERANCE
    )


NO_LISTS: dict[str, Any] = {
    "bytes": b"text",
    "a dict": {"a": "text"},
    "a set": {"text"},
    "keys": {"text": 1}.keys(),
    "a table": FRAME,
    "an array of two dimensions": np.array([TEXTS]),
    "an array of none": np.array("text"),
    "None": None,
    "a number": 1.5,
}


@pytest.mark.parametrize("shape", NO_LISTS)
def test_what_is_no_list_of_texts_is_refused(shape: str, llama_pair: Models) -> None:
    with pytest.raises(TypeError, match="texts must be a list of strings, not "):
        Binoculars(*llama_pair).score(NO_LISTS[shape])


def test_no_texts_have_no_scores(llama_pair: Models) -> None:
    assert Binoculars(*llama_pair).score([]) == []


def test_what_is_no_text_costs_the_others_nothing(llama_pair: Models) -> None:
    odd = [None, math.nan, pd.NA, 3, ["a"], b"bytes", "half \ud83d", "\udcff"]
    given = [piece for pair in zip(odd, [TEXTS[1]] * len(odd), strict=True) for piece in pair]
    scores = Binoculars(*llama_pair).score(given)
    assert [score.null_reason for score in scores[::2]] == ["not_text"] * 6 + ["not_unicode"] * 2
    assert all(score.null_reason in NULL_REASONS for score in scores[::2])
    assert {score.length_tokens for score in scores[::2]} == {None}
    assert values(scores[1::2]) == pytest.approx([expected(llama_pair, TEXTS[1])] * len(odd), abs=TOLERANCE)


def test_control_characters_are_text(llama_pair: Models) -> None:
    texts = ["a\0b", "\x1b[31mred\x07", "\x00\x01"]
    scores = Binoculars(*llama_pair).score(texts)
    assert values(scores) == pytest.approx([expected(llama_pair, text) for text in texts], abs=TOLERANCE)


@pytest.mark.fuzz
@given(st.lists(st.text(st.characters() | st.characters(categories=["Cs"]), max_size=20) | st.none() | st.floats()))
def test_every_thing_has_one_result_in_its_place(llama_pair: Models, texts: list[Any]) -> None:
    scores = Binoculars(*llama_pair).score(texts)
    for text, score in zip(texts, scores, strict=True):
        assert (score.null_reason == "not_text") == (not isinstance(text, str))
        assert score.score is None or math.isfinite(score.score)
        assert (score.score is None) == (score.null_reason is not None)


def test_a_token_without_an_embedding_costs_its_text_only(llama_pair: Models) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"<{number}>" for number in range(42)])  # ids to 300: the last has no row
    pair = [loaded_model(loaded.model, loaded.files.name, tokenizer) for loaded in llama_pair]
    scores = Binoculars(*pair).score(["with <41> in it", "with <40> in it"])
    assert [score.null_reason for score in scores] == ["token_beyond_model", None]
    assert scores[0].length_tokens == len(tokenizer("with <41> in it")["input_ids"])


@pytest.mark.parametrize(("logits", "beyond", "within"), [(364, 41, 40), (290, 31, 30)])
def test_a_token_needs_an_embedding_and_a_logit(logits: int, beyond: int, within: int) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"<{number}>" for number in range(42)])  # ids 259 to 300; the model has 300 embeddings
    model = random_model("llama", seed=0)
    model.lm_head = nn.Linear(32, logits, bias=False)
    loaded = loaded_model(model, "other-head", tokenizer)
    scores = Binoculars(loaded, loaded).score([f"with <{beyond}> in it", f"with <{within}> in it"])
    assert [score.null_reason for score in scores] == ["token_beyond_model", None]


def short_opt() -> LoadedModel:
    torch.manual_seed(0)
    config = OPTConfig(vocab_size=300, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, ffn_dim=32)
    config.word_embed_proj_dim, config.max_position_embeddings = 32, 40
    model = OPTForCausalLM(config)
    model.config.max_position_embeddings = 512  # what it says, where its table has 40 rows
    return loaded_model(model)


def test_a_text_longer_than_the_table_of_positions_is_cut_and_says_so() -> None:
    opt = short_opt()
    (long, fitting) = Binoculars(opt, opt).score(["x" * 50, "x" * 39])
    assert (long.length_tokens, long.truncated) == (40, True)
    assert (fitting.length_tokens, fitting.truncated) == (40, False)
    assert long.score == pytest.approx(fitting.score)
    rows = Binoculars(opt, opt).score_fragments([fragment("x" * 50, 40, 41)])
    assert [row.null_reason for row in rows] == [None, "prefix_beyond_model"]


def test_the_positions_of_either_model_are_a_limit(llama_pair: Models) -> None:
    opt, (llama, _) = short_opt(), llama_pair
    for pair in ((opt, llama), (llama, opt)):
        (score,) = Binoculars(*pair).score(["x" * 50])
        assert (score.length_tokens, score.truncated) == (40, True)


def test_a_single_string_is_refused(llama_pair: Models) -> None:
    with pytest.raises(TypeError, match=r"score\(\[text\]\)"):
        Binoculars(*llama_pair).score("letters")


def fragment(text: str, *prefixes: int) -> Fragment:
    return Fragment("r", 0, "d", "g", "human", text, 0, len(text.split()), prefixes)


@pytest.mark.parametrize("family", ["llama", "gemma2", "falcon"])
@pytest.mark.parametrize("alignment", ["reference", "aligned"])
def test_prefixes_of_one_pass_equal_truncated_texts(family: str, alignment: str) -> None:
    models = random_pair(family)
    lengths = (2, 3, 17, 40, 64)
    prefixes = list(Binoculars(*models, alignment=alignment).score_fragments([fragment(TEXTS[4], *lengths)]))  # type: ignore[arg-type]
    assert [(row.prefix_tokens, row.length_tokens) for row in prefixes] == [(n, n) for n in lengths]
    for row in prefixes:
        (alone,) = Binoculars(*models, alignment=alignment, max_tokens=row.prefix_tokens or 0).score([TEXTS[4]])  # type: ignore[arg-type]
        assert (row.score, row.nll_sum, row.xent_sum) == pytest.approx(
            (alone.score, alone.nll_sum, alone.xent_sum), abs=1e-4
        )
        assert row.score == pytest.approx(alone.score, abs=TOLERANCE)
        assert (row.n_nll, row.n_xent) == (alone.n_nll, alone.n_xent)
        assert row.truncated is False


def test_prefixes_of_a_text_with_a_token_beyond_the_model_give_that_reason() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"<{number}>" for number in range(42)])  # ids 259 to 300; the model has 300 embeddings
    loaded = loaded_model(random_model("llama", seed=0), "few-embeddings", tokenizer)
    rows = Binoculars(loaded, loaded).score_fragments([fragment("long enough, with <41> in it", 4, 40)])
    assert [row.null_reason for row in rows] == ["token_beyond_model"] * 2


def test_a_prefix_longer_than_the_text_is_a_row_with_a_reason(llama_pair: Models) -> None:
    rows = list(Binoculars(*llama_pair).score_fragments([fragment("abc def", 4, 8, 9)]))
    assert [row.null_reason for row in rows] == [None, None, "shorter_than_prefix"]
    assert [row.length_words for row in rows] == [1, 2, None]
    assert rows[2].score is None


@pytest.mark.parametrize("text", [TEXTS[1], "word " * 200, "short"])
def test_max_tokens_holds_for_prefixes(text: str, llama_pair: Models) -> None:
    binoculars = Binoculars(*llama_pair, max_tokens=20)
    scored: list[int] = []
    whole = binoculars.pair.token_sums
    binoculars.pair.token_sums = lambda texts: scored.extend(map(len, texts)) or whole(texts)  # type: ignore[method-assign]
    rows = list(binoculars.score_fragments([fragment(text, 4, 20, 21, 600)]))
    long = len(text) >= 20
    assert [row.null_reason for row in rows] == [
        None,
        None if long else "shorter_than_prefix",
        "prefix_beyond_max_tokens",
        "prefix_beyond_max_tokens",
    ]
    assert max(scored) <= 20
    (alone,) = Binoculars(*llama_pair, max_tokens=4).score([text])
    assert rows[0].score == pytest.approx(alone.score, abs=TOLERANCE)
    assert rows[0].truncated is False


def test_every_fragment_has_one_row_in_its_place(llama_pair: Models) -> None:
    null = Fragment("bad", 0, None, None, None, "", None, None, (), "bad_row")
    fragments = [fragment("one two three"), null, fragment("x y", 2, 3), fragment(""), fragment("four five")]
    rows = list(Binoculars(*llama_pair).score_fragments(fragments))
    assert [row.null_reason for row in rows] == [None, "bad_row", None, None, "empty_text", None]
    assert [row.text_sha256 is None for row in rows] == [False, True, False, False, True, False]
    assert rows[1].record_id == "bad"
    assert rows[1].length_tokens is rows[1].score is None


def test_memory_that_runs_out_costs_no_fragment(llama_pair: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    binoculars = Binoculars(*llama_pair, token_budget=4096)
    whole = binoculars.pair.token_sums

    def short_of_memory(texts: list[list[int]]) -> object:
        if len(texts) * max(map(len, texts)) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(texts)

    monkeypatch.setattr(binoculars.pair, "token_sums", short_of_memory)
    rows = list(binoculars.score_fragments([fragment(text) for text in TEXTS]))
    assert [row.needs_more_memory for row in rows] == [False] * 4 + [True, False]
    fitting = [row.score for row in rows if not row.needs_more_memory]
    texts = [text for text in TEXTS if not text.startswith("word")]
    assert fitting == pytest.approx([expected(llama_pair, text) for text in texts], abs=TOLERANCE)
    assert rows[4].null_reason == "out_of_memory"
    prefixes = list(binoculars.score_fragments([fragment(TEXTS[4], 2, 250)]))
    assert [(row.prefix_tokens, row.needs_more_memory) for row in prefixes] == [(2, True), (250, True)]


def test_each_text_is_looked_at_once(llama_pair: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []

    def unscorable(text: object) -> str | None:
        looked_at.append(text)
        return None if text == "a text" else "not_text"

    monkeypatch.setattr("scoring.pair_texts.null_reason_of", unscorable)
    scores = Binoculars(*llama_pair).score(["a text", "another", "a text"])
    assert looked_at == ["a text", "another", "a text"]
    assert [score.null_reason for score in scores] == [None, "not_text", None]


@pytest.mark.parametrize("half", ["\ud800", "\udbff", "\udc00", "\udfff"])
def test_half_a_surrogate_pair_is_seen_wherever_it_stands(half: str) -> None:
    assert null_reason_of(f"a{half}b") == "not_unicode"
    assert null_reason_of("\ud7ff\ue000\U0001f642") is None
