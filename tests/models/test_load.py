"""Models after a load: their devices and memory; and messages on files that cannot be loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import accelerate
import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    Llama4Config,
    Llama4ForConditionalGeneration,
)
from transformers.integrations.bitsandbytes import Bnb4bitQuantize

from actors.benchmarks.generation import GenerationFactors, measure, prompt_ids
from actors.failures import classify
from models.builtin.cache import model_directory
from models.errors import ModelDamaged, ModelUnavailable, ModelUnsupported
from models.load import LoadedModel, load_model, native_dtype, read_meta
from models.resolve import resolve

TINY = "builtin://tiny-base"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A model directory to damage."""
    return Path(shutil.copytree(model_directory("tiny-base"), tmp_path / "model"))


def shared_out(device_map: dict[str, Any], embedding: str = "meta") -> LoadedModel:
    """A model as accelerate leaves it on GPUs: what it keeps on the CPU is `meta` in the modules."""
    weight = torch.empty(4, 2, device=embedding)
    model: Any = SimpleNamespace(
        hf_device_map=device_map,
        get_input_embeddings=lambda: SimpleNamespace(weight=weight),
    )
    return LoadedModel(model, None, resolve(TINY), "none", torch.float32)


def test_a_model_shared_out_over_gpu_and_cpu_is_where_its_map_says() -> None:
    loaded = shared_out({"model.layers.0": 1, "model.embed_tokens": "cpu", "model.layers.1": 0, "lm_head": "cpu"})
    assert [str(device) for device in loaded.devices] == ["cuda:1", "cpu", "cuda:0"]
    assert loaded.input_device.type == "cuda", "accelerate brings the embedding there to compute"
    assert json.loads(loaded.device_map) == {
        "model.layers.0": "cuda:1",
        "model.embed_tokens": "cpu",
        "model.layers.1": "cuda:0",
        "lm_head": "cpu",
    }


def test_token_ids_go_where_the_embedding_is() -> None:
    loaded = shared_out({"model.embed_tokens": "cpu", "lm_head": 0}, embedding="cpu")
    assert loaded.input_device == torch.device("cpu")


def test_a_model_whose_weights_accelerate_brings_in_generates() -> None:
    loaded = load_model(TINY, dtype="float32")
    prompt_1L = prompt_ids(loaded, 8, seed=0)
    with torch.inference_mode():
        expected = loaded.model(prompt_1L).logits
    accelerate.cpu_offload(loaded.model, execution_device=torch.device("cpu"))
    loaded.model.hf_device_map = {"": "cpu"}
    assert next(loaded.model.parameters()).device.type == "meta"
    assert (loaded.devices, loaded.input_device) == ((torch.device("cpu"),), torch.device("cpu"))
    with torch.inference_mode():
        assert torch.equal(loaded.model(prompt_1L.to(loaded.input_device)).logits, expected)
    row = measure(loaded, prompt_1L, 3)
    assert (row["new_tokens"], row["device_map_effective"]) == (3, '{"": "cpu"}')


@pytest.mark.parametrize("device_map", ["single", "auto", "balanced", "sequential"])
def test_what_is_in_one_place_is_told_as_one_place(device_map: Any) -> None:
    loaded = load_model(TINY, device_map=device_map, max_memory=None if device_map == "single" else {"cpu": "1GiB"})
    assert loaded.device_map == '{"": "cpu"}'
    assert loaded.devices == (torch.device("cpu"),)


@pytest.mark.parametrize("device_map", ["auto", "balanced", "sequential"])
@pytest.mark.parametrize("quantization", ["none", "4-bit", "8-bit"])
def test_what_max_memory_leaves_for_the_disk_is_refused(device_map: Any, quantization: Any) -> None:
    with pytest.raises(ModelUnsupported, match="raise max_memory") as caught:
        load_model(TINY, device_map=device_map, max_memory={"cpu": "1MiB"}, quantization=quantization)
    assert TINY in str(caught.value)
    assert f"device_map {device_map!r} and quantization {quantization}" in str(caught.value)


WRONG_LIMITS = {
    "not a device": ("auto", {"gpu": "1GiB"}, "'gpu' is no device"),
    "padded number": ("auto", {"00": "1GiB"}, "'00' is no device"),
    "lower case, which accelerate takes for bits": ("auto", {"0": "8gb"}, "'8gb' is no size for 0"),
    "no unit": ("auto", {"cpu": "1000"}, "'1000' is no size for cpu"),
    "zero": ("auto", {"0": "0GiB"}, "is no size for 0"),
    "negative": ("auto", {"0": -1}, "is no size for 0"),
    "truth": ("auto", {"0": True}, "is no size for 0"),
    "nothing to share out": ("single", {"0": "1GiB"}, "device_map 'single' does not share"),
    "beyond the slot": ("balanced", {"0": "1GiB", "2": "1GiB"}, "names GPU 2, and the slot 'gpu x2' has GPUs 0 to 1"),
}


@pytest.mark.parametrize("mistake", WRONG_LIMITS)
def test_limits_that_cannot_be_kept_are_refused_with_the_spec(mistake: str) -> None:
    device_map, max_memory, message = WRONG_LIMITS[mistake]
    with pytest.raises(ValueError, match=message):
        GenerationFactors.model_validate(
            {"device": "gpu x2", "cpu_cores": 1, "model": "m", "device_map": device_map, "max_memory": max_memory}
        )


def test_limits_by_number_and_cpu_are_taken() -> None:
    limits = {"0": "7GiB", "1": 7 * 2**30, "cpu": "1.5GB"}
    factors = GenerationFactors(device="gpu x2", cpu_cores=1, model="m", device_map="auto", max_memory=limits)
    assert factors.max_memory == limits


def quantized_weights(loaded: LoadedModel) -> int:
    """Return the number of weights in layers that bitsandbytes takes: all linear ones but the head."""
    layers = loaded.model.model.layers.modules()
    return sum(layer.in_features * layer.out_features for layer in layers if isinstance(layer, torch.nn.Linear))


@pytest.mark.parametrize(("quantization", "bits"), [("4-bit", 4), ("8-bit", 8)])
def test_a_quantized_model_is_as_much_smaller_as_its_bits_say(quantization: Any, bits: int) -> None:
    whole, quantized = load_model(TINY, dtype="float32"), load_model(TINY, dtype="float32", quantization=quantization)
    weights = quantized_weights(whole)
    assert weights == quantized_weights(quantized) > 0
    rest_bytes = whole.model.get_memory_footprint() - weights * 4
    small_bytes = quantized.model.get_memory_footprint()
    assert small_bytes - rest_bytes == pytest.approx(weights * bits / 8, rel=0.05), "scales are a few per cent"
    assert small_bytes < whole.model.get_memory_footprint() * 0.75


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ([(3, 7)], "float32"),  # K80
        ([(5, 3)], "float16"),
        ([(6, 0)], "float16"),
        ([(6, 1)], "float32"),  # GTX 1070: float16 at 1/64 of the speed
        ([(7, 0)], "float16"),
        ([(7, 5)], "float16"),
        ([(8, 0)], "bfloat16"),
        ([(9, 0)], "bfloat16"),
        ([(8, 0), (8, 6)], "bfloat16"),
        ([(8, 0), (7, 0)], "float32"),
    ],
)
def test_auto_is_the_fastest_dtype_that_every_card_runs_natively(
    capabilities: list[tuple[int, int]], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = tuple(f"cuda:{index}" for index in range(len(capabilities)))
    cards = dict(zip(devices, capabilities, strict=True))
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: cards[device])
    assert native_dtype(devices) == dtype


@pytest.mark.parametrize(
    ("flag", "dtype"), [("avx512_bf16", "bfloat16"), ("amx_bf16", "bfloat16"), ("avx2", "float32")]
)
def test_auto_on_a_cpu_is_bfloat16_where_the_cpu_computes_in_it(
    flag: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: f"flags : fpu {flag} sse")
    assert native_dtype(("cpu",)) == dtype


def test_running_out_of_memory_while_quantizing_is_seen_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(*arguments: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 86.00 MiB")

    monkeypatch.setattr(Bnb4bitQuantize, "convert", convert)
    with pytest.raises(RuntimeError) as caught:
        load_model(TINY, quantization="4-bit")
    failure = classify(caught.value)
    assert failure.status == "oom_gpu"
    assert "Tried to allocate 86.00 MiB" in failure.message


def test_pickled_weights_are_not_loaded(copy: Path) -> None:
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").rename(copy / "another.safetensors")
    with pytest.raises(ModelUnavailable, match=r"no model\.safetensors in "):
        load_model(str(copy))


def test_what_no_file_explains_is_told_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*arguments: Any, **named: Any) -> None:
        raise MemoryError("cannot allocate memory")

    monkeypatch.setattr("models.load.AutoModelForCausalLM.from_pretrained", run_out)
    with pytest.raises(MemoryError, match="cannot allocate memory"):
        load_model(TINY)


def edit_config(directory: Path, **changes: Any) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 64 + path.read_bytes()[64:])


def lose_a_shard(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "model-00001-of-00002.safetensors")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))


def keep_pickles_only(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


def keep_an_unreadable_tokenizer(directory: Path) -> None:
    (directory / "tokenizer.json").unlink()
    (directory / "tokenizer.model").write_bytes(b"neither SentencePiece nor tiktoken")


def edit_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = directory / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def widen_the_tokenizer(directory: Path) -> None:
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["one-more-token"] = 2048
    path.write_text(json.dumps(tokenizer))


DAMAGE: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "truncated weights": (
        lambda d: cut_in_half(d / "model.safetensors"),
        ModelDamaged,
        r"model/model.safetensors is damaged \(.*not fully covered.*download it again",
    ),
    "corrupt weights": (
        lambda d: overwrite_header(d / "model.safetensors"),
        ModelDamaged,
        r"model/model.safetensors is damaged \(.*header",
    ),
    "empty weights": (
        lambda d: (d / "model.safetensors").write_bytes(b""),
        ModelDamaged,
        r"model/model.safetensors is damaged",
    ),
    "a shard is missing": (lose_a_shard, ModelUnavailable, r"no model-00002-of-00002.safetensors in .*/model"),
    "weights of another name": (
        lambda d: (d / "model.safetensors").rename(d / "weights.safetensors"),
        ModelUnavailable,
        r"no model.safetensors in .*/model; put it there",
    ),
    "pickled weights": (keep_pickles_only, ModelUnavailable, r"no \*.safetensors in .*/model \(pickled weights"),
    "too few weights": (
        lambda d: edit_config(d, num_hidden_layers=3, layer_types=None),
        ModelDamaged,
        r"do not match its config.json: 9 missing \(model.layers.2.*, …\), 0 of another shape",
    ),
    "fewer layers than weights": (
        lambda d: edit_config(d, num_hidden_layers=1, layer_types=None),
        ModelDamaged,
        r"0 missing, 0 of another shape, 9 that the model has no place for \(model.layers.1.input_.*, …",
    ),
    "weights of no part": (
        lambda d: edit_weights(d, lambda weights: weights.update({"model.extra.weight": torch.zeros(1)})),
        ModelDamaged,
        r"1 that the model has no place for \(model.extra.weight\); put the config.json of these weights there",
    ),
    "a vision tower of a model of text": (
        lambda d: edit_weights(d, lambda weights: weights.update({"vision_tower.weight": torch.zeros(1)})),
        ModelDamaged,
        r"1 that the model has no place for \(vision_tower.weight\)",
    ),
    "no head where the config ties none": (
        lambda d: edit_weights(d, lambda weights: weights.pop("lm_head.weight")),
        ModelDamaged,
        r"1 missing \(lm_head.weight\)",
    ),
    "two matrices where the config ties them": (
        lambda d: edit_config(d, tie_word_embeddings=True),
        ModelDamaged,
        r"config.json says tie_word_embeddings, but the files hold an embedding and a head that differ",
    ),
    "a tokenizer of more tokens than embeddings": (
        widen_the_tokenizer,
        ModelDamaged,
        r"its tokenizer has 2049 tokens, but its embedding has 2048 rows",
    ),
    "weights of another shape": (
        lambda d: edit_config(d, intermediate_size=64),
        ModelDamaged,
        r"0 missing, 6 of another shape \(model.layers.0.mlp",
    ),
    "no tokenizer": (
        lambda d: (d / "tokenizer.json").unlink(),
        ModelUnavailable,
        r"no tokenizer \(one of tokenizer.json, .*\) in .*/model; put it there",
    ),
    "a tokenizer that is not JSON": (
        lambda d: cut_in_half(d / "tokenizer.json"),
        ModelDamaged,
        r"model/tokenizer.json is damaged",
    ),
    "a tokenizer that is none": (
        lambda d: (d / "tokenizer.json").write_text("{}"),
        ModelDamaged,
        r"model/tokenizer.json is damaged",
    ),
    "a tokenizer's settings that are not JSON": (
        lambda d: (d / "tokenizer_config.json").write_text("{"),
        ModelDamaged,
        r"model/tokenizer_config.json is damaged \(not JSON",
    ),
    "a tokenizer that nothing here reads": (
        keep_an_unreadable_tokenizer,
        ModelUnsupported,
        r"no tokenizer can be made from tokenizer.model in .*/model",
    ),
    "no config": (lambda d: (d / "config.json").unlink(), ModelUnavailable, r"no config.json in .*/model"),
    "a config that is not JSON": (
        lambda d: (d / "config.json").write_text("{not json"),
        ModelDamaged,
        r"model/config.json is damaged \(not JSON",
    ),
    "a config that is a list": (
        lambda d: (d / "config.json").write_text("[]"),
        ModelDamaged,
        r"model/config.json is damaged \(not a JSON object",
    ),
    "an unknown architecture": (
        lambda d: edit_config(d, model_type="nosuch"),
        ModelUnsupported,
        r"model/config.json says model_type 'nosuch'",
    ),
    "not a causal language model": (
        lambda d: edit_config(d, model_type="vit"),
        ModelUnsupported,
        r"says model_type 'vit'.* no causal language model",
    ),
}


STATUSES = {ModelDamaged: "error", ModelUnavailable: "unavailable", ModelUnsupported: "unsupported"}


@pytest.mark.parametrize("damage", DAMAGE)
def test_files_that_cannot_be_loaded_are_named(damage: str, copy: Path) -> None:
    inflict, expected, message = DAMAGE[damage]
    inflict(copy)
    with pytest.raises(expected, match=message) as caught:
        load_model(str(copy))
    assert str(copy) in str(caught.value)
    assert classify(caught.value).status == STATUSES[expected]


def test_weights_that_no_token_depends_on_may_be_left(copy: Path) -> None:
    left = ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.embeddings.position_ids", "h.0.attn.masked_bias"]
    edit_weights(copy, lambda weights: weights.update({key: torch.zeros(2) for key in left}))
    assert load_model(str(copy)).files.revision


def test_a_head_that_is_saved_twice_is_one(copy: Path) -> None:
    def tie(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()

    edit_weights(copy, tie)
    edit_config(copy, tie_word_embeddings=True)
    model: Any = load_model(str(copy)).model
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_tokens_added_behind_the_embedding_are_no_mistake(copy: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(copy)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(copy)
    assert len(load_model(str(copy)).tokenizer) == 2049


def with_tokenizer(model: Any, directory: Path) -> str:
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(model_directory("tiny-base")).save_pretrained(directory)
    return str(directory)


LLAMA4_TEXT = {
    "vocab_size": 2048,
    "hidden_size": 32,
    "intermediate_size": 32,
    "intermediate_size_mlp": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "num_local_experts": 2,
}
LLAMA4_VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
    "intermediate_size": 32,
    "projector_input_dim": 32,
    "projector_output_dim": 32,
    "vision_output_dim": 32,
}


def test_a_checkpoint_of_text_and_images_may_be_loaded_for_its_text(tmp_path: Path) -> None:
    config = Llama4Config(text_config=LLAMA4_TEXT, vision_config=LLAMA4_VISION)
    loaded = load_model(with_tokenizer(Llama4ForConditionalGeneration(config), tmp_path), dtype="float32")
    assert type(loaded.model).__name__ == "Llama4ForCausalLM"


def test_the_decoder_of_an_encoder_decoder_is_no_language_model(tmp_path: Path) -> None:
    config = BartConfig(vocab_size=2048, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2)
    model = BartForConditionalGeneration(config)
    files = resolve(with_tokenizer(model, tmp_path))
    with pytest.raises(ModelUnsupported, match="bart is an encoder-decoder; only causal language models"):
        read_meta(files)  # before gigabytes of weights


@pytest.mark.parametrize("quantization", ["4-bit", "8-bit"])
def test_how_much_bitsandbytes_packed_is_counted_before_packing(quantization: Any) -> None:
    whole, quantized = load_model(TINY, dtype="float32"), load_model(TINY, dtype="float32", quantization=quantization)
    assert whole.quantized_share is None
    assert quantized.quantized_share == quantized_weights(whole) / whole.model.num_parameters()


@pytest.mark.parametrize("quantization", ["4-bit", "8-bit"])
def test_a_model_of_which_nothing_is_packed_is_not_called_quantized(
    quantization: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.integrations.replace_with_bnb_linear", lambda model, *_, **__: model)
    with pytest.raises(ModelUnsupported, match=rf"{quantization}: bitsandbytes packed none .*layers of .*Linear"):
        load_model(TINY, quantization=quantization)


@pytest.mark.parametrize(("width", "inner", "path"), [(48, 96, "attn.c_attn"), (64, 80, "mlp.c_fc")])
def test_layers_that_a_cpu_kernel_would_fail_at_are_refused_at_load(
    width: int, inner: int, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=2048, n_embd=width, n_inner=inner, n_layer=1, n_head=2))
    name = with_tokenizer(model, tmp_path)
    for bfloat16 in (True, False):
        monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda bfloat16=bfloat16: bfloat16)
        if bfloat16:
            with pytest.raises(
                ModelUnsupported, match=rf"multiple of 32 .* multiple of 64, but transformer\.h\.0\.{path} has"
            ):
                load_model(name, quantization="4-bit")
        else:
            assert load_model(name, quantization="4-bit").quantized_share


def test_the_layers_of_gpt_2_are_packed(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=2048, n_embd=64, n_layer=1, n_head=2)
    loaded = load_model(with_tokenizer(GPT2LMHeadModel(config), tmp_path), quantization="4-bit", dtype="float32")
    matrices = 64 * (3 * 64 + 64 + 2 * 4 * 64)
    assert loaded.quantized_share == matrices / GPT2LMHeadModel(config).num_parameters()


def test_a_gguf_file_that_is_none_is_named(copy: Path) -> None:
    (copy / "q4.gguf").write_bytes(b"not at all")
    with pytest.raises(ModelDamaged, match=r"model/q4.gguf is damaged"):
        load_model(f"{copy}#q4.gguf")


def write_gguf(path: Path, said: int, layers: int, without: str = "") -> None:
    """A llama of `layers` layers whose header says `said`."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(said)
    writer.add_context_length(128)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(64)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*(f"t{number}" for number in range(63)), "t0t1"])
    writer.add_token_types([1] * 64)
    writer.add_token_merges(["t0 t1"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (64, 32), "output_norm": (32,), "output": (64, 32)}
    for layer in range(layers):
        square = {f"blk.{layer}.attn_{part}": (32, 32) for part in ("q", "k", "v", "output")}
        norms = {f"blk.{layer}.{part}_norm": (32,) for part in ("attn", "ffn")}
        wide = {f"blk.{layer}.ffn_{part}": (64, 32) for part in ("gate", "up")}
        shapes |= square | norms | wide | {f"blk.{layer}.ffn_down": (32, 64)}
    for name, shape in shapes.items():
        if name != without:
            writer.add_tensor(f"{name}.weight", np.full(shape, 0.1, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_is_loaded_whole_or_not_at_all(tmp_path: Path) -> None:
    write_gguf(tmp_path / "whole.gguf", 2, 2)
    loaded = load_model(f"{tmp_path}#whole.gguf", dtype="float32")
    assert loaded.model.config.num_hidden_layers == 2
    assert str(loaded.files.revision).startswith("sha256:")
    write_gguf(tmp_path / "more.gguf", 1, 2)
    with pytest.raises(ModelDamaged, match=r"more\.gguf says 1 layers, but the file holds 2"):
        load_model(f"{tmp_path}#more.gguf")
    write_gguf(tmp_path / "less.gguf", 2, 2, without="blk.0.attn_q")
    with pytest.raises(ModelDamaged, match=r"1 missing \(model.layers.0.self_attn.q_proj.weight\)"):
        load_model(f"{tmp_path}#less.gguf")
