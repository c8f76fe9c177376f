"""The lower bound of weight memory is below what the weights take, and close to it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from models.load import load_model, unload
from models.min_weight_bytes import min_weight_bytes
from models.resolve import resolve

MODEL = "builtin://tiny-base"


@pytest.mark.parametrize("quantization", ["none", "4-bit", "8-bit"])
def test_the_bound_is_below_what_the_weights_take_and_not_by_much(quantization: Any) -> None:
    bound_bytes = min_weight_bytes(resolve(MODEL), quantization, item_bytes=4)
    loaded = load_model(MODEL, quantization=quantization, dtype="float32")
    taken_bytes = sum(tensor.numel() * tensor.element_size() for tensor in loaded.model.state_dict().values())
    unload(loaded)
    assert bound_bytes < taken_bytes
    if quantization == "none":
        assert bound_bytes > 0.5 * taken_bytes


def test_the_bound_follows_dtype_and_quantization() -> None:
    files = resolve(MODEL)
    bounds = [min_weight_bytes(files, quantization, 2) for quantization in ("none", "8-bit", "4-bit")]
    assert bounds[0] == pytest.approx(2 * bounds[1], abs=2)
    assert bounds[1] == pytest.approx(2 * bounds[2], abs=2)
    assert min_weight_bytes(files, "none", 4) == pytest.approx(2 * bounds[0], abs=2)


def test_weights_that_come_packed_do_not_count(tmp_path: Path) -> None:
    weights = {"norm": torch.zeros(1000), "packed": torch.zeros(50_000, dtype=torch.uint8)}
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    assert min_weight_bytes(resolve(str(tmp_path)), "none", 2) == 0.9 * 2 * 1000


def test_files_that_do_not_say_have_no_bound(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 64)
    (tmp_path / "config.json").write_text("{}")
    assert min_weight_bytes(resolve(str(tmp_path)), "none", 4) == 0
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert min_weight_bytes(resolve(f"{tmp_path}#model.gguf"), "none", 4) == 0
