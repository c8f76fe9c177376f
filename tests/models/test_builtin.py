"""The built-in models and corpus: whole or absent, once, usable by the real loaders, and a fair task for a detector."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from errno import ENOSPC
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from models.builtin import build, corpus
from models.builtin import cache as builtin
from models.builtin.recipe import RECIPE, Recipe, Sampling, Schedule, Shape
from models.errors import ModelUnavailable

FEW_STEPS = Schedule(steps=2, batch_texts=2, window_tokens=32, peak_rate=1e-3, seed=0)
FAST = Recipe(
    sources=("networkx/algorithms/approximation", "networkx/classes"),
    seed=0,
    vocabulary=512,
    max_tokens=4096,
    pair=Shape(hidden=64, layers=1, feed_forward=64),
    base_schedule=FEW_STEPS,
    instruct_schedule=FEW_STEPS,
    third=Shape(hidden=64, layers=1, feed_forward=64),
    third_schedule=FEW_STEPS,
    sampling=Sampling(temperature=1.0, top_k=64, prompt_tokens=8, seed=0),
    records=5,
    record_words=(20, 40),
)
PROSE = "Return the shortest path between two nodes, or None if there is none."

# Stands in for build.py and its torch: says that it began, waits for a line, writes one file.
OTHER_PROCESS = """
import sys, types
from models.builtin import cache

def build(recipe, directory):
    print("building", flush=True)
    sys.stdin.readline()
    (directory / "docs.jsonl").write_text("{}")

sys.modules["models.builtin.build"] = types.ModuleType("models.builtin.build")
sys.modules["models.builtin.build"].build = build
print(cache.ensure_built(lambda message: print("announced", flush=True)), flush=True)
"""


def silent(message: str) -> None:
    """Hears announcements and says nothing."""


def write_one_file(recipe: Recipe, directory: Path) -> None:
    """A build in no time."""
    (directory / "docs.jsonl").write_text("{}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own: `sweeps/` below `$XDG_CACHE_HOME`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sweeps"


@pytest.fixture(scope="module")
def fast_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of a real build, of models that have learnt next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return builtin.ensure_built(silent, FAST)


@pytest.fixture(autouse=True)
def no_progress_bars() -> None:
    transformers_logging.disable_progress_bar()


@pytest.fixture
def start_other_process(cache: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that asks for the default build, of which `build` is a stand-in; none outlives the test."""
    repository = Path(builtin.__file__).parents[2]
    with ExitStack() as started:

        def start() -> subprocess.Popen[str]:
            process = started.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", OTHER_PROCESS],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"PYTHONPATH": str(repository)},
                )
            )
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch use one thread: two that wait for each other on a loaded machine made a test of 12 s take 4 minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def records(root: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (root / "docs.jsonl").read_text().splitlines()]


# --- what a build holds


@pytest.mark.parametrize("name", builtin.MODELS)
def test_a_model_has_the_files_of_hugging_face(fast_build: Path, name: str) -> None:
    present = {path.name for path in (fast_build / name).iterdir()}
    assert present >= {
        "config.json",
        "model.safetensors",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


@pytest.mark.parametrize("name", builtin.MODELS)
def test_a_model_loads_and_reads_text_far_beyond_what_it_was_trained_on(fast_build: Path, name: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(fast_build / name)
    assert model.config.max_position_embeddings >= 4096
    logits = model(torch.arange(4096).remainder(512)[None]).logits
    assert logits.shape == (1, 4096, 512)
    assert logits.isfinite().all()


def test_the_instruct_model_is_another_model(fast_build: Path) -> None:
    base, instruct = ((fast_build / name / "model.safetensors").read_bytes() for name in builtin.MODELS)
    assert len(base) == len(instruct)
    assert base != instruct


def test_the_tokenizer_gives_back_what_it_was_given(fast_build: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(fast_build / "tiny-base")
    text = "Überraschung: 3 × naïve\n\tcode()  — 你好"
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.unk_token_id not in ids


def test_both_tokenizers_are_one_and_padding_is_no_end_of_text(fast_build: Path) -> None:
    base, instruct = (AutoTokenizer.from_pretrained(fast_build / name) for name in builtin.MODELS)
    assert base.get_vocab() == instruct.get_vocab()
    assert base(PROSE)["input_ids"] == instruct(PROSE)["input_ids"]
    assert len({base.pad_token_id, base.eos_token_id, base.bos_token_id, base.unk_token_id}) == 4
    assert base.padding_side == "right"


def test_only_the_instruct_model_has_a_chat_template(fast_build: Path) -> None:
    base, instruct = (AutoTokenizer.from_pretrained(fast_build / name) for name in builtin.MODELS)
    assert base.chat_template is None
    chat = instruct.apply_chat_template(
        [{"role": "user", "content": "What is a graph?"}], tokenize=False, add_generation_prompt=True
    )
    assert chat == "<s><|user|>What is a graph?</s><|assistant|>"
    assert instruct("<|user|>", add_special_tokens=False)["input_ids"] == [instruct.convert_tokens_to_ids("<|user|>")]


@pytest.mark.parametrize(
    ("config", "layer"),
    [
        (BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"), "Linear4bit"),
        (BitsAndBytesConfig(load_in_8bit=True), "Linear8bitLt"),
    ],
    ids=["4-bit", "8-bit"],
)
@pytest.mark.parametrize("name", builtin.MODELS)
def test_a_model_loads_quantized_on_the_cpu(
    fast_build: Path, name: str, config: BitsAndBytesConfig, layer: str
) -> None:
    model = AutoModelForCausalLM.from_pretrained(
        fast_build / name, quantization_config=config, device_map={"": "cpu"}, dtype=torch.float32
    )
    linear = {type(module).__name__ for module in model.model.modules() if isinstance(module, torch.nn.Linear)}
    assert linear == {layer}
    assert model(torch.tensor([[1, 30, 40, 50]])).logits.isfinite().all()


def test_default_widths_fit_bitsandbytes_blocks() -> None:
    assert RECIPE.pair.hidden % 64 == RECIPE.pair.feed_forward % 64 == 0


def test_a_record_has_its_fields_and_two_texts_of_like_length(fast_build: Path) -> None:
    found = records(fast_build)
    assert found
    assert len({record["id"] for record in found}) == len(found)
    for record in found:
        assert set(record) == {"id", "dataset", "generator", "source", "human", "synthetic"}
        assert (record["dataset"], record["generator"]) == ("docs", "tiny-third")
        assert record["source"].startswith("networkx.")
        human, synthetic = len(record["human"].split()), len(record["synthetic"].split())
        assert human >= 20
        assert 0.5 * human <= synthetic <= human
        assert record["human"] != record["synthetic"]


def test_no_model_has_read_a_records_human_text() -> None:
    shares = build._deal(corpus.passages(FAST.sources), seed=0)
    held_out = {passage.module for passage in shares.pop("records")}
    read = {passage.module for share in shares.values() for passage in share}
    assert held_out
    assert not held_out & read


def test_the_same_recipe_gives_the_same_build(fast_build: Path, cache: Path) -> None:
    again = builtin.ensure_built(silent, FAST)
    assert again != fast_build
    for path in sorted(fast_build.rglob("*")):
        if path.is_file():
            assert (again / path.relative_to(fast_build)).read_bytes() == path.read_bytes(), path.name


def test_prose_is_kept_and_the_rest_dropped() -> None:
    docstring = """Compute the *mean* of :class:`~numpy.ndarray` ``a``, which must not be empty.

Parameters
----------
a : array_like
    Values of any shape, which are flattened before anything else.

>>> mean([1, 2, 3])
2.0

=====  =====
Input  Mean
=====  =====

Too short."""
    assert list(corpus.prose_paragraphs(docstring)) == ["Compute the mean of numpy.ndarray a, which must not be empty."]


# --- the build and its caller


def test_the_caller_is_not_disturbed(cache: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float64)
    state = torch.get_rng_state()
    try:
        with torch.inference_mode():  # as a worker may well be in when it first needs a model
            builtin.ensure_built(silent, FAST)
            assert torch.is_inference_mode_enabled()
        assert torch.get_num_threads() == 3
        assert torch.get_default_dtype() is torch.float64
        assert torch.equal(torch.get_rng_state(), state)
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(torch.float32)


def test_importing_needs_no_torch() -> None:
    code = "import sys; from models.builtin import cache; sys.exit('torch' in sys.modules)"
    repository = Path(builtin.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repository)


def test_it_says_once_that_it_builds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "build", write_one_file)
    heard: list[str] = []
    roots = {builtin.ensure_built(heard.append), builtin.ensure_built(heard.append)}
    assert roots == {cache / builtin.BUILD_ID}
    assert len(heard) == 1
    assert "minute" in heard[0]


def test_two_processes_at_once_build_once(
    cache: Path, start_other_process: Callable[[], subprocess.Popen[str]]
) -> None:
    cache.mkdir()
    with FileLock(cache / f"{builtin.BUILD_ID}.lock"):  # so that neither can be done before both have begun
        both = [start_other_process() for _ in range(2)]
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "announced\n"
    for process in both:  # to both before waiting for either: the second may hold the lock
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in both]
    assert sum(lines.count("building") for lines in outputs) == 1
    assert {lines[-1] for lines in outputs} == {str(cache / builtin.BUILD_ID)}


def test_a_killed_build_leaves_nothing_that_counts(
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    start_other_process: Callable[[], subprocess.Popen[str]],
) -> None:
    with start_other_process() as process:
        assert process.stdout is not None
        while process.stdout.readline() != "building\n":
            pass
        process.send_signal(signal.SIGKILL)
    assert not (cache / builtin.BUILD_ID).exists()
    assert len(list(cache.glob(".building-*"))) == 1
    monkeypatch.setattr(build, "build", write_one_file)
    assert (builtin.ensure_built(silent) / "docs.jsonl").is_file()
    assert not list(cache.glob(".building-*"))


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_full(recipe: Recipe, directory: Path) -> None:
        (directory / "half").write_text("")
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr(build, "build", run_full)
    with pytest.raises(ModelUnavailable, match=r"No space left.*XDG_CACHE_HOME") as caught:
        builtin.ensure_built(silent)
    assert str(cache) in str(caught.value)
    assert not (cache / builtin.BUILD_ID).exists()
    assert not list(cache.glob(".building-*"))


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")  # root may write to read-only directories, but not below a file
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    with pytest.raises(ModelUnavailable, match="XDG_CACHE_HOME") as caught:
        builtin.ensure_built(silent)
    assert str(in_the_way / "sweeps") in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_is_one_clear_error(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o555)
    with pytest.raises(ModelUnavailable, match=r"Permission denied.*XDG_CACHE_HOME"):
        builtin.ensure_built(silent)


def test_an_unknown_model_is_told_the_known_ones() -> None:
    with pytest.raises(ModelUnavailable, match="tiny-base, tiny-instruct"):
        builtin.model_directory("tiny-chat")


def test_another_recipe_is_another_build() -> None:
    assert RECIPE.build_id == builtin.BUILD_ID
    assert FAST.build_id != RECIPE.build_id


# --- sample_text


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The words of a corpus of three records, none of them twice; the corpus stands in for the built one."""
    texts = [" ".join(f"w{record}.{word}" for word in range(50)) for record in range(3)]
    path = tmp_path / "docs.jsonl"
    path.write_text("".join(json.dumps({"human": text, "synthetic": "x"}) + "\n" for text in texts))
    monkeypatch.setattr(builtin, "docs_path", lambda: path)
    return set(" ".join(texts).split())


@pytest.mark.parametrize("words", [1, 2, 49, 150, 1280])
def test_sample_text_has_the_words_asked_for(docs: set[str], words: int) -> None:
    sampled = builtin.sample_text(words, seed=3).split()
    assert len(sampled) == words
    assert set(sampled) <= docs


def test_sample_text_depends_on_the_seed_alone(docs: set[str]) -> None:
    texts = [builtin.sample_text(40, seed) for seed in range(10)]
    assert texts == [builtin.sample_text(40, seed) for seed in range(10)]
    assert len(set(texts)) > 5  # of 150 places to begin at


def test_sample_text_repeats_nothing_before_it_has_used_all(docs: set[str]) -> None:
    sampled = builtin.sample_text(100, seed=0).split()
    assert len(set(sampled)) == 100


def test_sample_text_of_no_words_is_refused(docs: set[str]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        builtin.sample_text(0, seed=0)


# --- the default build


@torch.inference_mode()
def binoculars_scores(texts: list[str]) -> list[float]:
    """Alignment `reference`, text by text, as in the paper's formula."""
    directories = map(builtin.model_directory, builtin.MODELS)
    observer, performer = map(AutoModelForCausalLM.from_pretrained, directories)
    tokenizer = AutoTokenizer.from_pretrained(builtin.model_directory("tiny-base"))
    scores = []
    for text in texts:
        ids_1T = tokenizer(text, return_tensors="pt")["input_ids"]
        log_q_TV = performer(ids_1T).logits[0].double().log_softmax(-1)
        o_TV = observer(ids_1T).logits[0].double().softmax(-1)
        nll_T = -log_q_TV[:-1].gather(1, ids_1T[0, 1:, None])
        scores.append(float(nll_T.mean() / -(o_TV * log_q_TV).sum(-1).mean()))
    return scores


@pytest.mark.slow
def test_detection_is_a_task_and_no_triviality(one_thread: None) -> None:
    from sklearn.metrics import roc_auc_score

    found = records(builtin.ensure_built())
    human = binoculars_scores([record["human"] for record in found])
    synthetic = binoculars_scores([record["synthetic"] for record in found])
    is_human = [1] * len(human) + [0] * len(synthetic)
    assert 0.8 < roc_auc_score(is_human, human + synthetic) < 0.999


@pytest.mark.slow
def test_the_corpus_is_large_enough() -> None:
    found = records(builtin.ensure_built())
    assert 200 <= len(found) <= 300
    assert sum(len(record["human"].split()) for record in found) > 10_000
    for record in found:
        assert len(record["synthetic"].split()) >= 0.8 * len(record["human"].split()), record["id"]
    texts = {builtin.sample_text(1280, seed) for seed in range(20)}
    assert len(texts) == 20
    assert {len(text.split()) for text in texts} == {1280}


@pytest.mark.slow
def test_training_has_taught_the_models_something() -> None:
    text = builtin.sample_text(1280, seed=0)
    for name in builtin.MODELS:
        directory = builtin.model_directory(name)
        ids_1T = AutoTokenizer.from_pretrained(directory)(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            loss = AutoModelForCausalLM.from_pretrained(directory)(ids_1T, labels=ids_1T).loss.item()
        assert loss < 0.85 * torch.tensor(float(RECIPE.vocabulary)).log().item()
