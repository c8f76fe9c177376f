"""A CUDA device for every test here, a larger random model on disk, and a way to fill the card."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.scoring.families import byte_tokenizer

VOCABULARY = 2**17
"""Entries; so many that logits, and nothing else, take the memory of a pass."""
MODEL_BYTES = 2 * 2 * VOCABULARY * 128
"""Least bytes of the random model: embedding and head, 128 values a token, in a dtype of two bytes."""
PATIENCE_S = 240


@pytest.fixture(autouse=True, scope="session")
def _needs_cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here, or this torch cannot use it")


@pytest.fixture(scope="session")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a Llama of random weights, wide vocabulary and room for 16,384 tokens."""
    directory = tmp_path_factory.mktemp("wide")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16_384,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    byte_tokenizer().save_pretrained(directory)
    return directory


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Run a spec as a user does; return the rows of all its sweeps."""

    def run(spec: str, *options: str, code: int = 0) -> pd.DataFrame:
        (tmp_path / "gpu.toml").write_text(spec)
        command = [sys.executable, "-m", "sweeps.run", "gpu.toml", *options]
        answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        rows = rows_of(tmp_path / "runs" / "gpu")
        assert answer.returncode == code, f"{answer.stdout}\n{answer.stderr}\n{failed(rows)}"
        return rows

    return run


def rows_of(run: Path) -> pd.DataFrame:
    """Rows of every sweep of a run."""
    parts = [pd.read_parquet(part) for part in sorted(run.glob("*/part-*.parquet"))]
    known = [part.dropna(axis="columns", how="all") for part in parts]
    return pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=["status"])


def failed(rows: pd.DataFrame) -> str:
    """Return status and message of the rows that are not ok."""
    columns = [name for name in ("sweep", "quantization", "status", "error_message") if name in rows]
    lost = rows.loc[rows["status"] != "ok", columns].drop_duplicates()
    return "\n".join(" | ".join(map(str, row)) for row in lost.itertuples(index=False))


def table(name: str, benchmark: str, factors: dict[str, Any], iterations: int = 1) -> str:
    """One sweep of a spec, on one GPU where the factors do not say otherwise."""
    lines = [f"{key} = {_toml(value)}" for key, value in ({"device": ["gpu"], "cpu_cores": [1]} | factors).items()]
    head = f'[[sweep]]\nname = "{name}"\nbenchmark = "{benchmark}"\niterations = {iterations}\nwarmup = 0\n'
    return "\n".join([f"{head}[sweep.factors]", *lines, ""])


def spec_of(tables: Sequence[str]) -> str:
    """A spec with these sweeps."""
    return "\n".join(['name = "gpu"', *tables])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {_toml(item)}' for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


@contextmanager
def other_process_leaves(free_bytes: int) -> Iterator[None]:
    """Let another process hold the card's memory, all but this much, while the block runs."""
    hold = (
        "import sys, torch\n"
        "torch.zeros(1, device='cuda')\n"
        f"take = torch.cuda.mem_get_info()[0] - {free_bytes}\n"
        "held = torch.empty(max(take, 0), dtype=torch.uint8, device='cuda')\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.communicate(timeout=PATIENCE_S)
