"""From files to a model in memory, on the devices of a slot, and back out again.

Knows nothing of benchmarks or of timing. `load_model` returns only when every weight is where it belongs.
"""

import ctypes
import gc
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from models.agreement import (
    refuse_half,
    refuse_mismatch,
    refuse_more_layers,
    refuse_other_head,
    refuse_other_tokenizer,
)
from models.diagnosis import weights_explained
from models.packing import quantized_share, refuse_other_bits, refuse_unfit_for_cpu, refuse_unpacked
from models.placement import limits_by_device, placement_explained, refuse_disk, torch_devices
from models.prepacked import computing_in, is_packed, refuse_empty_claim, refuse_other_packing
from models.resolve import ModelFiles, resolve
from models.tokenizer import read_tokenizer

DeviceMap = Literal["single", "auto", "balanced", "sequential"]
Quantization = Literal["none", "4-bit", "8-bit"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]

FAST_FLOAT16: Final = {(5, 3), (6, 0), (6, 2)}
"""Compute capabilities below 7.0 that run float16 faster than float32; the GTX 1070's 6.1 runs it at 1/64."""


@dataclass(frozen=True)
class ModelOutline:
    """All of a model but its weights: what is read before them, and apart from them where their load is timed."""

    files: ModelFiles
    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerBase


@dataclass
class LoadedModel:
    """A model in memory with its tokenizer, and what it turned out to be."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    files: ModelFiles
    quantization: Quantization
    dtype: torch.dtype
    """Compute dtype: that of the parameters that are not quantized."""

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Every device that holds weights, in the order met.

        By the map where there is one: weights that accelerate keeps on the CPU for a GPU are `meta` in the model.
        """
        if placed := self._placed:
            return tuple(dict.fromkeys(placed.values()))
        tensors = [*self.model.parameters(), *self.model.buffers()]
        return tuple(dict.fromkeys(tensor.device for tensor in tensors))

    @property
    def input_device(self) -> torch.device:
        """Where token ids go in: where the embedding computes, which for one kept on the CPU is a GPU."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        if device.type != "meta":
            return device
        return next((gpu for gpu in self.devices if gpu.type == "cuda"), torch.device("cpu"))

    @property
    def device_map(self) -> str:
        """The map that took effect, as JSON: module name to torch device."""
        placed = self._placed or {"": self.input_device}
        return json.dumps({module: str(device) for module, device in placed.items()})

    @property
    def dtype_name(self) -> str:
        """`float32`, `bfloat16` or `float16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def quantized_share(self) -> float | None:
        """Share of the parameters, counted before packing, that are packed; None where nothing is to be quantized."""
        return None if self.quantization == "none" else quantized_share(self.model)

    @property
    def _placed(self) -> dict[str, torch.device]:
        """Module name to device, where accelerate shared the model out; empty where all is in one place."""
        return torch_devices(getattr(self.model, "hf_device_map", {}))


def load_model(
    name: str,
    *,
    devices: tuple[str, ...] = ("cpu",),
    device_map: DeviceMap = "single",
    max_memory: Mapping[str, str | int] | None = None,
    quantization: Quantization = "none",
    dtype: Dtype = "auto",
) -> LoadedModel:
    """Load a causal language model and its tokenizer.

    Args:
        name: as models/names.py reads it.
        devices: torch names of the devices it may use; `single` takes the first, the others share out over all.
        device_map: `single`, or how accelerate spreads the layers.
        max_memory: by device, as accelerate reads it (`{"0": "7GiB", "cpu": "30GiB"}`); none: what is free.
        quantization: bitsandbytes NF4 or LLM.int8 at load, or none.
        dtype: of the computation; `auto` is the fastest that the slowest device runs natively.

    Raises:
        ModelUnavailable: no such files here.
        ModelDamaged: a file is not what it should be.
        ModelUnsupported: this device, build or combination cannot run it.
    """
    return load_weights(
        read_outline(resolve(name)),
        devices=devices,
        device_map=device_map,
        max_memory=max_memory,
        quantization=quantization,
        dtype=dtype,
    )


def read_outline(files: ModelFiles) -> ModelOutline:
    """Read configuration and tokenizer, and import the code of such models; raises as `load_model` does."""
    _quiet_libraries()
    tokenizer = read_tokenizer(files)
    with weights_explained(files):
        config = AutoConfig.from_pretrained(
            files.directory, trust_remote_code=files.runs_code, local_files_only=True, **_gguf(files)
        )
        refuse_half(files, config)
        refuse_more_layers(files, config)
        refuse_empty_claim(files, config)
    MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)  # imports the class: seconds that are no part of a load
    return ModelOutline(files, config, tokenizer)


def load_weights(
    outline: ModelOutline,
    *,
    devices: tuple[str, ...],
    device_map: DeviceMap,
    max_memory: Mapping[str, str | int] | None,
    quantization: Quantization,
    dtype: Dtype,
) -> LoadedModel:
    """Bring the weights to their devices; arguments and exceptions are those of `load_model`.

    On the CPU, weights whose file has the dtype asked for stay mapped to it: pages are read when they are touched.
    """
    files, name = outline.files, outline.files.name
    refuse_other_packing(files, outline.config, quantization)
    compute_dtype = getattr(torch, native_dtype(devices) if dtype == "auto" else dtype)
    packed = is_packed(outline.config)
    with weights_explained(files), placement_explained(name, device_map, quantization):
        model, info = AutoModelForCausalLM.from_pretrained(
            files.directory,
            config=computing_in(outline.config, compute_dtype),
            dtype=compute_dtype,
            device_map={"": devices[0]} if device_map == "single" else device_map,
            max_memory=limits_by_device(max_memory),
            quantization_config=None if packed else _quantization_config(quantization, compute_dtype),
            use_safetensors=files.gguf_file is None or None,
            trust_remote_code=files.runs_code,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # refused below, in one message with what is missing
            output_loading_info=True,
            **_gguf(files),
        )
    refuse_mismatch(files, info, outline.config)
    refuse_other_head(files, model)
    refuse_other_tokenizer(files, model, outline.tokenizer)
    refuse_other_bits(name, quantization, model)
    if quantization != "none":
        refuse_unpacked(name, quantization, model)
        refuse_unfit_for_cpu(name, model)
    refuse_disk(name, device_map, quantization, getattr(model, "hf_device_map", {}))
    model.eval()
    return LoadedModel(model, outline.tokenizer, files, quantization, compute_dtype)


def unload(loaded: LoadedModel) -> None:
    """Drop the weights and give the memory back to devices and system; `loaded` is unusable afterwards."""
    del loaded.model
    release_memory()


def release_memory() -> None:
    """Return what Python, CUDA's caching allocator and malloc hold but nobody uses."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc keeps freed arenas otherwise, and the next peak starts too high
        libc.malloc_trim(0)


def native_dtype(devices: tuple[str, ...]) -> str:
    """The fastest dtype that every one of `devices` runs natively: bfloat16, else float16, else float32."""
    choices = [_native_dtype(device) for device in devices]
    return choices[0] if len(set(choices)) == 1 else "float32"


def _native_dtype(device: str) -> str:
    if not device.startswith("cuda"):
        return "bfloat16" if _cpu_has_bfloat16() else "float32"
    capability = torch.cuda.get_device_capability(device)
    if capability >= (8, 0):
        return "bfloat16"
    return "float16" if capability >= (7, 0) or capability in FAST_FLOAT16 else "float32"


def _cpu_has_bfloat16() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _quantization_config(quantization: Quantization, compute_dtype: torch.dtype) -> BitsAndBytesConfig | None:
    match quantization:
        case "none":
            return None
        case "4-bit":
            return BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute_dtype
            )
        case "8-bit":
            return BitsAndBytesConfig(load_in_8bit=True)


def _quiet_libraries() -> None:
    """No bars in a worker's log; and bitsandbytes says at every matmul that LLM.int8 computes in float16."""
    transformers_logging.disable_progress_bar()
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)


def _gguf(files: ModelFiles) -> dict[str, Any]:
    return {} if files.gguf_file is None else {"gguf_file": files.gguf_file}
