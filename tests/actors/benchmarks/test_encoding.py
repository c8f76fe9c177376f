"""The encoding benchmark counts exactly, uses fresh texts, and runs on as many threads as its row says."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
import torch
from transformers import ByT5Tokenizer

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.encoding import Encoding, EncodingFactors, LoadedTokenizer, batch_of, measure
from actors.devices.pinning import rayon_threads
from actors.probes import memory
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.nodes import cluster_nodes
from actors.ray_pool.pool import RayPool
from sweeps.errors import Unsupported
from sweeps.metric_columns import ENCODING
from sweeps.plan.spec import Spec, Sweep
from sweeps.planning import make_plan
from sweeps.schedule.policy import Policy
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.schema import COLUMNS
from sweeps.task import Slot, Task

pytestmark = pytest.mark.slow

MODEL = "builtin://tiny-base"
THREADS = """
import json, os, sys
from pathlib import Path
from actors.devices import pinning
from sweeps.task import Allocation, Slot

def running(): return len(list(Path("/proc/self/task").iterdir()))

answers = []
for cores in map(int, sys.argv[1:]):
    if cores:
        pinning.pin(Allocation("w", Slot("cpu", 0, cores), "here", "cpu", "a CPU"))
    before = running()
    answers.append((pinning.rayon_threads(), running() - before))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def held() -> LoadedTokenizer:
    return Encoding().load(factors(), ("cpu",))


def factors(**changes: Any) -> EncodingFactors:
    """Return factors of a cell that this process can measure: with as many cores as its pool has threads."""
    levels = {"device": "cpu", "cpu_cores": rayon_threads(), "model": MODEL, "input_words": 12, "texts": 4}
    return EncodingFactors(**{**levels, **changes})


def rows(held: LoadedTokenizer, chosen: EncodingFactors, iterations: int = 1, warmup: int = 0) -> list[dict[str, Any]]:
    task = Task("s", "encoding", chosen.model_dump(), Slot("cpu", 0, 1), "", iterations, warmup, 0, 0, 0)
    return list(Encoding().rows(held, task, chosen))


class Spy:
    """A tokenizer that notes its inputs, and when its cache of words is emptied."""

    is_fast = True

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.batches: list[list[str]] = []
        self.events: list[str] = []
        self.backend_tokenizer = self.model = self

    def __call__(self, texts: list[str], **settings: Any) -> Any:
        self.batches.append(texts)
        self.events.append("encode")
        return self._tokenizer(texts, **settings)

    def _clear_cache(self) -> None:
        self._tokenizer.backend_tokenizer.model._clear_cache()
        self.events.append("forget")


@pytest.fixture
def spied(held: LoadedTokenizer) -> Iterator[Spy]:
    spy = Spy(held.tokenizer)
    held.tokenizer = spy
    yield spy
    held.tokenizer = spy._tokenizer


def test_bytes_and_tokens_are_those_of_every_text(held: LoadedTokenizer) -> None:
    texts = ["Größe, naïve", "of three", "bytes: €"]
    row = measure(held, texts, move=False)
    assert row["input_bytes"] == 15 + 8 + 10
    assert row["output_tokens"] == sum(len(held.tokenizer(text)["input_ids"]) for text in texts)


def test_rates_are_over_the_time_of_the_encoding(held: LoadedTokenizer) -> None:
    started_s = time.perf_counter()
    (row,) = rows(held, factors())
    assert 0 < row["encoding_time_s"] < time.perf_counter() - started_s
    assert row["encoding_rate_tokens_per_s"] == pytest.approx(row["output_tokens"] / row["encoding_time_s"])
    assert row["encoding_rate_bytes_per_s"] == pytest.approx(row["input_bytes"] / row["encoding_time_s"])


def test_every_metric_has_its_column(held: LoadedTokenizer) -> None:
    (row,) = rows(held, factors())
    assert row.keys() - {"revision"} == COLUMNS["encoding"].metrics.keys() == ENCODING.keys()
    assert row["rayon_threads_effective"] == rayon_threads()
    assert row["move_time_s"] is None


@pytest.mark.slow
def test_no_text_comes_twice_warm_ups_included(held: LoadedTokenizer, spied: Spy) -> None:
    rows(held, factors(input_words=250, texts=5), iterations=3, warmup=2)
    assert [len(batch) for batch in spied.batches] == [5] * (3 + 2)
    texts = [text for batch in spied.batches for text in batch]
    assert len(set(texts)) == len(texts)
    assert {len(text.split()) for text in texts} == {250}


def test_the_same_sweep_encodes_the_same_texts_and_another_seed_others() -> None:
    chosen = factors()
    assert batch_of(chosen, seed=0, number=1) == batch_of(chosen, seed=0, number=1)
    assert batch_of(chosen, seed=0, number=1) != batch_of(chosen, seed=1, number=1)


@pytest.mark.slow
def test_the_tokenizer_remembers_no_word_of_the_run_before(held: LoadedTokenizer, spied: Spy) -> None:
    rows(held, factors(), iterations=2, warmup=1)
    assert spied.events == ["forget", "encode"] * 3


def test_the_published_lengths_can_be_had() -> None:
    (text,) = batch_of(factors(input_words=1280, texts=1), seed=0, number=0)
    assert len(text.split()) == 1280


def test_a_move_is_timed_apart_and_waits_for_the_device(held: LoadedTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[torch.Tensor] = []
    waits: list[tuple[int, list[torch.device]]] = []
    to = torch.Tensor.to

    def note(tensor: torch.Tensor, device: torch.device, **settings: Any) -> torch.Tensor:
        moved.append(to(tensor, device, **settings))
        return moved[-1]

    monkeypatch.setattr(torch.Tensor, "to", note)
    monkeypatch.setattr(memory, "synchronize", lambda devices: waits.append((len(moved), devices)))
    elsewhere = LoadedTokenizer(held.tokenizer, held.files, held.rayon_threads, "meta")
    started_s = time.perf_counter()
    (row,) = rows(elsewhere, factors(move_to_device=True))
    assert 0 < row["move_time_s"] < time.perf_counter() - started_s
    assert [(str(ids.device), tuple(ids.shape)) for ids in moved] == [("meta", (row["output_tokens"],))]
    assert waits == [(0, [torch.device("meta")]), (1, [torch.device("meta")])]


def test_on_the_cpu_a_move_is_a_real_copy(held: LoadedTokenizer) -> None:
    (row,) = rows(held, factors(move_to_device=True))
    assert row["move_time_s"] > 0


def test_other_cores_than_threads_are_refused(held: LoadedTokenizer) -> None:
    cores = rayon_threads() + 1
    with pytest.raises(Unsupported, match=rf"cpu_cores = {cores}, .* {cores - 1} of Rayon's.* --address local"):
        rows(held, factors(cpu_cores=cores))


def test_a_tokenizer_in_python_is_measured_on_one_core_only(tmp_path: Path) -> None:
    ByT5Tokenizer().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    (tmp_path / "model.safetensors").touch()
    chosen = factors(model=str(tmp_path), cpu_cores=1)
    slow = Encoding().load(chosen, ("cpu",))
    (row,) = rows(slow, chosen)
    assert (row["rayon_threads_effective"], row["output_tokens"] > 0) == (None, True)
    with pytest.raises(Unsupported, match="written in Python"):
        rows(slow, factors(model=str(tmp_path), cpu_cores=2))


def threads(*cores: int, **environment: str) -> list[list[int]]:
    """Count threads in a fresh process that pins itself to each number of cores: by the code, and by the kernel."""
    command = [sys.executable, "-W", "error", "-c", THREADS, *map(str, cores)]
    plain = {name: value for name, value in os.environ.items() if name not in {"RAYON_NUM_THREADS"}}
    answer = subprocess.run(command, env=plain | environment, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(answer.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_a_process_encodes_on_as_many_threads_as_its_slot_has_cores(cores: int) -> None:
    assert threads(cores) == [[cores, cores]]


def test_the_pool_keeps_its_size_and_the_count_tells() -> None:
    assert threads(2, 1, 3) == [[2, 2], [2, 0], [2, 0]]


def test_a_shell_that_turns_parallelism_off_does_not_make_a_wrong_label() -> None:
    assert threads(0, RAYON_NUM_THREADS="3", TOKENIZERS_PARALLELISM="false") == [[1, 0]]
    assert threads(2, TOKENIZERS_PARALLELISM="false") == [[2, 2]]


LEVELS: dict[str, list[Any]] = {
    "device": ["cpu"],
    "cpu_cores": [1, 2],
    "model": [MODEL],
    "input_words": [20],
    "texts": [8],
    "move_to_device": [True],
}


def written(directory: Path) -> list[dict[str, Any]]:
    return ds.dataset(sorted(directory.rglob("part-*.parquet"))).to_table().to_pylist()  # type: ignore[no-any-return]


@pytest.mark.slow
def test_in_one_process_the_cores_that_its_pool_does_not_have_are_refused(tmp_path: Path) -> None:
    lines = ['name = "e"', "[[sweep]]", 'name = "s"', 'benchmark = "encoding"', "[sweep.factors]"]
    lines += [f"{name} = {json.dumps(levels)}" for name, levels in LEVELS.items()]
    (tmp_path / "e.toml").write_text("\n".join(lines))
    command = [sys.executable, "-W", "error", "-m", "sweeps.run", "e.toml", "--address", "inline"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=True)
    measured = [row for row in written(tmp_path) if row["status"] == "ok"]
    (refused,) = (row for row in written(tmp_path) if row["status"] != "ok")
    assert [row["rayon_threads_effective"] for row in measured] == [3 - refused["cpu_cores"]] * 3
    assert {row["cpu_cores"] for row in measured} == {3 - refused["cpu_cores"]}
    assert refused["status"] == "unsupported"
    assert "--address local" in refused["error_message"]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_on_ray_every_slot_has_a_pool_of_its_own(tmp_path: Path) -> None:
    sweep = Sweep(name="s", benchmark="encoding", iterations=2, warmup=1, factors=LEVELS)
    coordinator = RayCoordinator.start(
        make_plan(Spec(name="e", sweep=[sweep]), BENCHMARKS, tmp_path), BENCHMARKS, Policy()
    )
    coordinator.open()
    pool = RayPool(coordinator, BENCHMARKS, cluster_nodes())
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    pool.close()
    coordinator.close()
    seen = sorted((row["status"], row["cpu_cores"], row["rayon_threads_effective"]) for row in written(tmp_path))
    assert seen == [("ok", 1, 1)] * 2 + [("ok", 2, 2)] * 2
