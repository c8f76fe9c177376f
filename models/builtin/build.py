"""Builds the files of the built-in models and corpus from a recipe, in a given directory.

Knows nothing of caches and locks. Modules are dealt out whole to four readers, so that no model has read
a record's human text, and the third model has read nothing that the pair has.
"""

import json
import math
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from models.builtin import training
from models.builtin.corpus import Passage, passages, sentences
from models.builtin.recipe import Recipe

THREADS: Final = 1
"""Threads of torch, in either branch. The two branches fill two cores already, and with more threads the order of float
sums, and so the weights, would depend on the machine."""
SHARES: Final = {"base": 0.45, "instruct": 0.15, "third": 0.25, "records": 0.15}
GROUP_TEXTS: Final = 64
"""Records sampled together, sorted by length, so that short ones do not wait for long ones."""
TOKEN_MARGIN: Final = 1.2
"""The third model may need more tokens a word than the human did; what is too much is cut off."""


@dataclass(frozen=True)
class Excerpt:
    """A piece of one module's prose: a prompt for the third model, and the human's continuation."""

    module: str
    prompt: str
    human: str


def build(recipe: Recipe, directory: Path) -> None:
    """Write `tiny-base/`, `tiny-instruct/` and `docs.jsonl` into `directory`.

    The pair and the third model do not need each other, so each has a thread and a core.
    """
    with _caller_undisturbed():
        shares = _deal(passages(recipe.sources), recipe.seed)
        tokenizer = training.train_tokenizer(
            [passage.text for passage in shares["base"]], recipe.vocabulary, recipe.max_tokens
        )
        # Both before the threads start: weights are drawn from torch's one global generator.
        pair = training.new_model(recipe.pair, recipe.vocabulary, recipe.max_tokens, recipe.seed)
        third = training.new_model(recipe.third, recipe.vocabulary, recipe.max_tokens, recipe.seed + 1)
        with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(THREADS,)) as threads:
            branches = (
                threads.submit(_build_pair, recipe, pair, shares, tokenizer, directory),
                threads.submit(_build_corpus, recipe, third, shares, deepcopy(tokenizer), directory),
            )
            for branch in branches:
                branch.result()


def _build_pair(
    recipe: Recipe,
    model: LlamaForCausalLM,
    shares: dict[str, list[Passage]],
    tokenizer: PreTrainedTokenizerFast,
    directory: Path,
) -> None:
    """Train the base model, and go on to the instruct model with questions and answers that base has not read."""
    training.train(model, _stream(tokenizer, map(_as_text, shares["base"])), recipe.base_schedule)
    training.save(directory / "tiny-base", model, tokenizer, chat=False)
    training.train(model, _stream(tokenizer, map(_as_chat, shares["instruct"])), recipe.instruct_schedule)
    training.save(directory / "tiny-instruct", model, tokenizer, chat=True)


def _build_corpus(
    recipe: Recipe,
    model: LlamaForCausalLM,
    shares: dict[str, list[Passage]],
    tokenizer: PreTrainedTokenizerFast,
    directory: Path,
) -> None:
    """Train the third model, let it continue every excerpt's prompt, and write one record a line."""
    training.train(model, _stream(tokenizer, map(_as_text, shares["third"])), recipe.third_schedule)
    excerpts = _excerpts(recipe, shares["records"], tokenizer)
    texts = _continue_all(recipe, model, tokenizer, excerpts)
    with (directory / "docs.jsonl").open("w", encoding="utf-8") as lines:
        for number, (excerpt, synthetic) in enumerate(zip(excerpts, texts, strict=True)):
            record = {
                "id": f"docs-{number:04d}",
                "dataset": "docs",
                "generator": "tiny-third",
                "source": excerpt.module,
                "human": excerpt.human,
                "synthetic": synthetic,
            }
            lines.write(json.dumps(record) + "\n")


def _deal(found: list[Passage], seed: int) -> dict[str, list[Passage]]:
    """Return the passages of every reader; all of one module go to one reader, because neighbours repeat each other."""
    modules = sorted({passage.module for passage in found})
    random.Random(seed).shuffle(modules)
    readers: dict[str, str] = {}
    end = 0.0
    for reader, share in SHARES.items():
        start, end = end, end + share
        names = modules[round(start * len(modules)) : round(end * len(modules))]
        readers |= dict.fromkeys(names, reader)
    return {reader: [passage for passage in found if readers[passage.module] == reader] for reader in SHARES}


def _as_text(passage: Passage) -> str:
    return f"{training.BOS}{passage.text}{training.EOS}"


def _as_chat(passage: Passage) -> str:
    question = f"{training.BOS}{training.USER}What is {passage.subject}?{training.EOS}"
    return f"{question}{training.ASSISTANT}{passage.text}{training.EOS}"


def _stream(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> Tensor:
    """Return the token ids [T] of all texts, one text after the other."""
    encoded = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return torch.tensor([token for ids in encoded for token in ids])


def _excerpts(recipe: Recipe, held_out: list[Passage], tokenizer: PreTrainedTokenizerFast) -> list[Excerpt]:
    """Return up to `recipe.records` excerpts in a seeded order."""
    draw = random.Random(recipe.seed)
    by_module: dict[str, list[str]] = {}
    for passage in held_out:
        by_module.setdefault(passage.module, []).extend(sentences(passage.text))
    found = [excerpt for module, lines in by_module.items() for excerpt in _cut(module, lines, recipe, tokenizer, draw)]
    draw.shuffle(found)
    return found[: recipe.records]


def _cut(
    module: str, lines: list[str], recipe: Recipe, tokenizer: PreTrainedTokenizerFast, draw: random.Random
) -> Iterator[Excerpt]:
    """Alternate prompts and texts of whole sentences along a module, until what is left is too short."""
    shortest, longest = recipe.record_words
    rest = iter(lines)
    while True:
        prompt, human = "", ""
        for line in rest:
            prompt = f"{prompt} {line}".strip()
            if len(tokenizer.tokenize(prompt)) >= recipe.sampling.prompt_tokens:
                break
        wanted = round(math.exp(draw.uniform(math.log(shortest), math.log(longest))))
        for line in rest:
            human = f"{human} {line}".strip()
            if len(human.split()) >= wanted:
                break
        if len(human.split()) < shortest:
            return
        yield Excerpt(module, prompt, human)


def _continue_all(
    recipe: Recipe, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, excerpts: list[Excerpt]
) -> list[str]:
    """Return a continuation of each prompt, with as many words as the human's."""
    draw = torch.Generator().manual_seed(recipe.sampling.seed)
    lengths = [len(ids) for ids in tokenizer([excerpt.human for excerpt in excerpts])["input_ids"]]
    order = sorted(range(len(excerpts)), key=lengths.__getitem__)
    texts = [""] * len(excerpts)
    for start in range(0, len(order), GROUP_TEXTS):
        group = order[start : start + GROUP_TEXTS]
        prompts_BT = torch.tensor(
            [tokenizer.encode(excerpts[index].prompt)[-recipe.sampling.prompt_tokens :] for index in group]
        )
        new_tokens = round(TOKEN_MARGIN * lengths[group[-1]])
        drawn_BT = training.sample(model, prompts_BT, new_tokens, recipe.sampling, draw)
        for index, text in zip(group, tokenizer.batch_decode(drawn_BT), strict=True):
            texts[index] = " ".join(text.split()[: len(excerpts[index].human.split())])
    return texts


@contextmanager
def _caller_undisturbed() -> Iterator[None]:
    """Give the build its own random state, threads, dtype, device and gradient mode, and the caller's back."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    with (
        torch.random.fork_rng(devices=[]),
        torch.device("cpu"),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        torch.set_num_threads(THREADS)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_default_dtype(dtype)
