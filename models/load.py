"""Load a model from its files onto the devices of a slot, and unload it.

Knows nothing of benchmarks or of timing. `load_model` returns only when every weight is on its device.
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
from models.packing import packing_config, quantized_share, refuse_other_bits, refuse_unfit_for_cpu, refuse_unpacked
from models.placement import limits_by_device, placement_explained, refuse_disk, torch_devices
from models.prepacked import computing_in, is_packed, refuse_empty_claim, refuse_other_packing
from models.resolve import ModelFiles, resolve
from models.tokenizer import read_tokenizer

DeviceMap = Literal["single", "auto", "balanced", "sequential"]
Quantization = Literal["none", "4-bit", "8-bit"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]

FAST_FLOAT16: Final = {(5, 3), (6, 0), (6, 2)}
"""Compute capabilities below 7.0 that run float16 faster than float32. 6.1 (GTX 1070) runs it at 1/64 of the speed."""


@dataclass(frozen=True)
class ModelMeta:
    """Files, configuration and tokenizer of a model: all that is read before its weights, whose load is timed alone."""

    files: ModelFiles
    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerBase


@dataclass
class LoadedModel:
    """A model in memory with its tokenizer, and the settings that took effect."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    files: ModelFiles
    quantization: Quantization
    dtype: torch.dtype
    """Compute dtype: the dtype of the parameters that are not quantized."""

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Return every device that holds weights, in the order of the modules."""
        if placed := self._placed:  # weights that accelerate keeps on the CPU for a GPU are on `meta` in the model
            return tuple(dict.fromkeys(placed.values()))
        tensors = [*self.model.parameters(), *self.model.buffers()]
        return tuple(dict.fromkeys(tensor.device for tensor in tensors))

    @property
    def input_device(self) -> torch.device:
        """Return the device for token ids: the device on which the embedding computes.

        An embedding that accelerate keeps on the CPU computes on a GPU.
        """
        device: torch.device = self.model.get_input_embeddings().weight.device
        if device.type != "meta":
            return device
        return next((gpu for gpu in self.devices if gpu.type == "cuda"), torch.device("cpu"))

    @property
    def device_map(self) -> str:
        """Return the map that took effect, as JSON: torch device by module name."""
        placed = self._placed or {"": self.input_device}
        return json.dumps({module: str(device) for module, device in placed.items()})

    @property
    def dtype_name(self) -> str:
        """Return the compute dtype as `float32`, `bfloat16` or `float16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def quantized_share(self) -> float | None:
        """Return the share of the parameters, counted before packing, that are packed; None without quantization."""
        return None if self.quantization == "none" else quantized_share(self.model)

    @property
    def _placed(self) -> dict[str, torch.device]:
        """Return the device by module name where accelerate placed the model; empty where one device holds all."""
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
        name: a model's name (see models/names.py).
        devices: torch names of the devices to use. `single` uses the first, other maps use all.
        device_map: `single`, or the rule by which accelerate spreads the layers.
        max_memory: limits by device, as accelerate reads them (`{"0": "7GiB", "cpu": "30GiB"}`); None for no limits.
        quantization: bitsandbytes NF4 (`4-bit`) or LLM.int8 (`8-bit`) at load, or `none`.
        dtype: of the computation. `auto` is the fastest dtype that all devices run natively.

    Raises:
        ModelUnavailable: files are missing here.
        ModelDamaged: a file is damaged, or does not belong to the others.
        ModelUnsupported: this device, build or combination cannot run the model.
    """
    return load_weights(
        read_meta(resolve(name)),
        devices=devices,
        device_map=device_map,
        max_memory=max_memory,
        quantization=quantization,
        dtype=dtype,
    )


def read_meta(files: ModelFiles) -> ModelMeta:
    """Read configuration and tokenizer, and import the model's class; raises as `load_model` does."""
    _quiet_libraries()
    tokenizer = read_tokenizer(files)
    with weights_explained(files):
        config = AutoConfig.from_pretrained(
            files.directory, trust_remote_code=files.runs_code, local_files_only=True, **_gguf(files)
        )
        refuse_half(files, config)
        refuse_more_layers(files, config)
        refuse_empty_claim(files, config)
    MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)  # imports the class: seconds, and no part of a load
    return ModelMeta(files, config, tokenizer)


def load_weights(
    meta: ModelMeta,
    *,
    devices: tuple[str, ...],
    device_map: DeviceMap,
    max_memory: Mapping[str, str | int] | None,
    quantization: Quantization,
    dtype: Dtype,
) -> LoadedModel:
    """Load the weights onto their devices. Arguments and exceptions are those of `load_model`.

    On the CPU, weights that the file holds in the compute dtype stay mapped to the file: a page is read when it is
    touched.
    """
    files, name = meta.files, meta.files.name
    refuse_other_packing(files, meta.config, quantization)
    compute_dtype = getattr(torch, native_dtype(devices) if dtype == "auto" else dtype)
    packed = is_packed(meta.config)
    with weights_explained(files), placement_explained(name, device_map, quantization):
        model, info = AutoModelForCausalLM.from_pretrained(
            files.directory,
            config=computing_in(meta.config, compute_dtype),
            dtype=compute_dtype,
            device_map={"": devices[0]} if device_map == "single" else device_map,
            max_memory=limits_by_device(max_memory),
            quantization_config=None if packed else packing_config(quantization, compute_dtype),
            use_safetensors=files.gguf_file is None or None,
            trust_remote_code=files.runs_code,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # refused below, in one message with what is missing
            output_loading_info=True,
            **_gguf(files),
        )
    refuse_mismatch(files, info, meta.config)
    refuse_other_head(files, model)
    refuse_other_tokenizer(files, model, meta.tokenizer)
    refuse_other_bits(name, quantization, model)
    if quantization != "none":
        refuse_unpacked(name, quantization, model)
        refuse_unfit_for_cpu(name, model)
    refuse_disk(name, device_map, quantization, getattr(model, "hf_device_map", {}))
    model.eval()
    return LoadedModel(model, meta.tokenizer, files, quantization, compute_dtype)


def unload(loaded: LoadedModel) -> None:
    """Drop the weights and return their memory to devices and system. `loaded` cannot be used afterwards."""
    del loaded.model
    release_memory()


def release_memory() -> None:
    """Return memory to the system that Python, CUDA's caching allocator and malloc hold unused."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # without it glibc keeps freed memory, and the next peak starts too high
        libc.malloc_trim(0)


def native_dtype(devices: tuple[str, ...]) -> str:
    """Return the fastest dtype that all devices run natively: bfloat16, float16 or float32. Unlike devices: float32."""
    choices = [_native_dtype(device) for device in devices]
    return choices[0] if len(set(choices)) == 1 else "float32"


def _native_dtype(device: str) -> str:
    """Return the fastest dtype of one device."""
    if not device.startswith("cuda"):
        return "bfloat16" if _cpu_has_bfloat16() else "float32"
    capability = torch.cuda.get_device_capability(device)
    if capability >= (8, 0):
        return "bfloat16"
    return "float16" if capability >= (7, 0) or capability in FAST_FLOAT16 else "float32"


def _cpu_has_bfloat16() -> bool:
    """Tell whether this CPU has instructions that compute in bfloat16."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _quiet_libraries() -> None:
    """Turn off progress bars in a worker's log, and bitsandbytes' note on float16 at every matrix product."""
    transformers_logging.disable_progress_bar()
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)


def _gguf(files: ModelFiles) -> dict[str, Any]:
    """Return the argument of transformers that names a GGUF file; nothing for safetensors."""
    return {} if files.gguf_file is None else {"gguf_file": files.gguf_file}
