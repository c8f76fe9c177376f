"""One sweep over healthy, broken and killing models: every cell gets its status, and other cells are unharmed."""

import contextlib
import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow.dataset as ds
import pytest
import torch
from rich.console import Console

import actors.ray_pool.cluster
import sweeps.run as command
from actors.benchmarks.generation import Generation, GenerationFactors
from models.builtin.cache import model_directory
from models.load import LoadedModel
from sweeps.schedule.policy import Policy
from sweeps.schema import COLUMNS
from sweeps.task import Row

FAULT_FILE = "fault"
SHORT_WORDS, LONG_WORDS = 4, 200
LONG_TOKENS = 100
"""Number of tokens between the two lengths: a word is at least one token, and seldom more than a few."""

SPEC = """
name = "faults"
[[sweep]]
name = "generation"
benchmark = "generation"
iterations = 2
warmup = 0
[sweep.factors]
model = {models}
device = ["cpu"]
cpu_cores = [1]
dtype = ["float32"]
prompt_words = [{short}, {long}]
max_new_tokens = [2]
[[sweep.exclude]]
model = {short_only}
prompt_words = {long}
"""


class GenerationWithFaults(Generation):
    """Generation whose model's forward pass has the fault that a file `fault` in the model's directory names."""

    def load(self, factors: GenerationFactors, devices: tuple[str, ...]) -> LoadedModel:
        loaded = super().load(factors, devices)
        path = loaded.files.directory / FAULT_FILE
        if path.exists():
            fault = FAULTS[path.read_text()]
            loaded.model.register_forward_pre_hook(
                lambda _model, _inputs, named: fault(named["input_ids"].shape[1]), with_kwargs=True
            )
        return loaded


def raise_error(_tokens: int) -> None:
    raise ValueError("a forward pass that fails on purpose")


def run_out_of_memory(tokens: int) -> None:
    if tokens > LONG_TOKENS:
        torch.empty(2**50, dtype=torch.uint8)


def hang(_tokens: int) -> None:
    time.sleep(3600)


def die(_tokens: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS: dict[str, Callable[[int], None]] = {
    "raise": raise_error,
    "memory": run_out_of_memory,
    "hang": hang,
    "die": die,
}


def cut_weights(directory: Path) -> None:
    weights = directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])


def corrupt_weights(directory: Path) -> None:
    weights = directory / "model.safetensors"
    weights.write_bytes(b"\xff" * 64 + weights.read_bytes()[64:])


def keep_pickles_only(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": cut_weights,
    "corrupt": corrupt_weights,
    "pickled": keep_pickles_only,
    "no-tokenizer": lambda directory: (directory / "tokenizer.json").unlink(),
    "bad-config": lambda directory: (directory / "config.json").write_text("{"),
    "other-kind": lambda directory: (directory / "config.json").write_text('{"model_type": "nosuch"}'),
}

EXPECTED: dict[str, dict[int, str]] = {
    "healthy": {SHORT_WORDS: "ok", LONG_WORDS: "ok"},
    "memory": {SHORT_WORDS: "ok", LONG_WORDS: "oom_host"},
    "other-kind": {SHORT_WORDS: "unsupported"},
    "no-tokenizer": {SHORT_WORDS: "unavailable"},
    "pickled": {SHORT_WORDS: "unavailable"},
    "raise": {SHORT_WORDS: "error"},
    "truncated": {SHORT_WORDS: "error"},
    "corrupt": {SHORT_WORDS: "error"},
    "bad-config": {SHORT_WORDS: "error"},
    "hang": {SHORT_WORDS: "timeout"},
    "die": {SHORT_WORDS: "worker_lost"},
}
MESSAGES = {
    "memory": "can't allocate memory",
    "no-tokenizer": "no tokenizer (one of tokenizer.json",
    "pickled": "pickled weights are not loaded",
    "raise": "fails on purpose",
    "truncated": "truncated/model.safetensors is damaged",
    "corrupt": "corrupt/model.safetensors is damaged",
    "bad-config": "bad-config/config.json is damaged",
    "other-kind": "says model_type 'nosuch'",
    "hang": "--timeout-s",
    "die": "",
}
MILD = ("healthy", "memory", "other-kind")


def model(name: str, root: Path) -> str:
    """Make a copy of the tiny model with that fault or damage, and return its path."""
    directory = Path(shutil.copytree(model_directory("tiny-base"), root / name))
    if name in FAULTS:
        (directory / FAULT_FILE).write_text(name)
    elif name in DAMAGE:
        DAMAGE[name](directory)
    return str(directory)


def run(names: Sequence[str], root: Path, address: str, timeout_s: float) -> tuple[int, list[Row]]:
    """Run the command in this process; return its exit code and rows."""
    models = {name: model(name, root) for name in names}
    short_only = [models[name] for name in names if LONG_WORDS not in EXPECTED[name]]
    spec = SPEC.format(
        models=json.dumps(list(models.values())),
        short_only=json.dumps(short_only),
        short=SHORT_WORDS,
        long=LONG_WORDS,
    )
    path = root / "faults.toml"
    path.write_text(spec)
    wanted = command.Command((str(path),), address, root / "runs", policy=Policy(timeout_s=timeout_s))
    code = command.run(wanted, Console(file=io.StringIO()))
    parts = sorted((root / "runs").glob("faults/generation/part-*.parquet"))
    return code, ds.dataset(parts).to_table().to_pylist()


def check(rows: list[Row], names: Sequence[str]) -> None:
    statuses: dict[str, dict[int, set[str]]] = {name: {} for name in names}
    for row in rows:
        name = Path(row["model"]).name
        statuses[name].setdefault(row["prompt_words"], set()).add(row["status"])
        if row["status"] == "ok":
            assert row["new_tokens"] == 2
        else:
            assert all(row[metric] is None for metric in COLUMNS["generation"].metrics)
            assert MESSAGES[name] in row["error_message"]
            assert row["error_message"]
    assert statuses == {name: {words: {status} for words, status in EXPECTED[name].items()} for name in names}
    assert sum(row["status"] == "ok" for row in rows) == 2 * sum(
        status == "ok" for name in names for status in EXPECTED[name].values()
    ), "every iteration of every healthy cell"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_benchmarks", lambda: {"generation": GenerationWithFaults()})


@pytest.fixture
def joined(ray_cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the command use the session's cluster without joining or leaving it."""

    @contextlib.contextmanager
    def cluster(_address: str) -> Iterator[list[str]]:
        yield []

    monkeypatch.setattr(actors.ray_pool.cluster, "cluster", cluster)


@pytest.mark.slow
def test_out_of_memory_and_unsupported_are_results(tmp_path: Path) -> None:
    code, rows = run(MILD, tmp_path, "inline", timeout_s=60.0)
    assert code == 0
    check(rows, MILD)


@pytest.mark.slow
def test_every_fault_inline_but_death(tmp_path: Path) -> None:
    names = [name for name in EXPECTED if name != "die"]
    code, rows = run(names, tmp_path, "inline", timeout_s=10.0)
    assert code == 1
    check(rows, names)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_every_fault_on_ray_and_death(tmp_path: Path) -> None:
    # Without `hang`: tests/actors/ray_pool/test_pool.py kills a hung process, with a fast load.
    names = [name for name in EXPECTED if name != "hang"]
    code, rows = run(names, tmp_path, "auto", timeout_s=120.0)
    assert code == 1
    check(rows, names)
    attempts = {Path(row["model"]).name: row["attempt"] for row in rows}
    assert attempts == dict.fromkeys(names, 1) | {"die": 3}
