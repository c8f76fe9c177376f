"""Checkpoints whose weights come quantized are measured under the name of what they are, or not at all."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from models.builtin.cache import model_directory
from models.errors import ModelDamaged, ModelUnsupported
from models.load import load_model
from models.packing import refuse_other_bits

TINY = "builtin://tiny-base"
BITSANDBYTES: dict[str, dict[str, Any]] = {
    "4-bit": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "8-bit": {"load_in_8bit": True},
}


@pytest.fixture(scope="module", params=["4-bit", "8-bit"])
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A quantization, and a checkpoint that was saved after it, computing in float32."""
    directory, source = tmp_path_factory.mktemp("packed"), model_directory("tiny-base")
    model = AutoModelForCausalLM.from_pretrained(
        source,
        quantization_config=BitsAndBytesConfig(**BITSANDBYTES[request.param]),
        device_map={"": "cpu"},
        dtype=torch.float32,
    )
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(source).save_pretrained(directory)
    return request.param, directory


def claiming(directory: Path, claim: object) -> str:
    """Whole weights whose config.json has that quantization_config."""
    shutil.copytree(model_directory("tiny-base"), directory, dirs_exist_ok=True)
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": claim}))
    return str(directory)


def test_a_packed_checkpoint_is_loaded_only_as_what_it_is(packed: tuple[str, Path]) -> None:
    own, directory = packed
    for asked in {"none", "4-bit", "8-bit"} - {own}:
        with pytest.raises(ModelUnsupported, match=f"with quantization {asked}: .*ask for quantization {own}"):
            load_model(str(directory), quantization=asked)  # type: ignore[arg-type]


def test_weights_that_come_out_packed_are_refused_whatever_the_config_said(
    packed: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, directory = packed
    monkeypatch.setattr("models.load.refuse_other_packing", lambda files, config, quantization: None)
    with pytest.raises(ModelUnsupported, match=f"quantization none: its weights are packed as {own}"):
        load_model(str(directory), quantization="none")


def test_a_packed_checkpoint_is_told_as_one_that_was_packed_at_load(packed: tuple[str, Path]) -> None:
    own, directory = packed
    loaded = load_model(str(directory), quantization=own, dtype="bfloat16")  # type: ignore[arg-type]
    at_load = load_model(TINY, quantization=own, dtype="bfloat16")  # type: ignore[arg-type]
    assert loaded.quantized_share == at_load.quantized_share
    computing = {module.compute_dtype for module in loaded.model.modules() if hasattr(module, "compute_dtype")}
    assert computing <= {None, torch.bfloat16}, "not the float32 of its config.json"


FOREIGN: dict[str, tuple[object, str]] = {
    "gptq": ({"quant_method": "gptq", "bits": 4}, "'gptq'"),
    "fp8": ({"quant_method": "fp8"}, "'fp8'"),
    "unknown, which transformers skips": ({"quant_method": "of-tomorrow"}, "'of-tomorrow'"),
    "no method": ({"bits": 4}, r"no quant_method \(bits\)"),
    "empty": ({}, r"no quant_method \(empty\)"),
    "4-bit of another kind": ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes 4-bit FP4"),
}


@pytest.mark.parametrize("asked", ["none", "4-bit"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_checkpoint_packed_by_other_means_is_refused_by_name(kind: str, asked: Any, tmp_path: Path) -> None:
    claim, named = FOREIGN[kind]
    with pytest.raises(ModelUnsupported, match=f"quantization_config of {named}.*take a checkpoint"):
        load_model(claiming(tmp_path, claim), quantization=asked)


@pytest.mark.parametrize("own", BITSANDBYTES)
def test_whole_weights_under_a_claim_to_be_packed_are_told(own: Any, tmp_path: Path) -> None:
    claim = {"quant_method": "bitsandbytes", **BITSANDBYTES[own]}
    with pytest.raises(ModelDamaged, match=f"bitsandbytes {own}.*none of the weights.*take quantization_config out"):
        load_model(claiming(tmp_path, claim), quantization=own)


def test_a_config_that_says_null_says_nothing(tmp_path: Path) -> None:
    assert load_model(claiming(tmp_path, None)).quantized_share is None


@pytest.mark.parametrize(("kind", "made_by"), [("Params4bit", "4-bit"), ("Int8Params", "8-bit")])
@pytest.mark.parametrize("asked", ["none", "4-bit", "8-bit"])
def test_weights_are_looked_at_after_the_load(kind: str, made_by: str, asked: str) -> None:
    parameter = type(kind, (), {})()
    model: Any = SimpleNamespace(parameters=lambda: [parameter])
    if asked == made_by:
        refuse_other_bits("m", asked, model)
        return
    with pytest.raises(ModelUnsupported, match=f"quantization {asked}: its weights are packed as {made_by}"):
        refuse_other_bits("m", asked, model)
