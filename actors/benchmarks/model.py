"""Common base of the benchmarks of one model: the factors that decide which model is loaded, load and unload.

These benchmarks share loads: a worker that has generated with a model computes logits with the same loaded model.
"""

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from actors.benchmarks.base import Dtype, OneTaskPerCell, Quantization, Weights
from models import names
from sweeps.plan.declaration import Factors, rehearsed_with

if TYPE_CHECKING:
    from models.load import LoadedModel

_GPU: Final = re.compile(r"0|[1-9][0-9]*")
_SIZE: Final = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(GiB|MiB|GB|MB)")


ModelId = Annotated[str, AfterValidator(names.check)]
"""Name of a model as models/names.py reads it; a mistake is reported before anything starts."""
MODEL_NAMES: Final = (
    "a Hub id (`org/name`, `org/name@revision`), a directory, `directory#file.gguf`, `builtin://tiny-base` or "
    "`builtin://tiny-instruct`; `org/name@COMMIT?trust_remote_code` lets the model's own code run (docs/safety.md)"
)
"""Levels of ModelId, for descriptions."""
BUILT_IN_MODELS: Final = tuple(f"builtin://{name}" for name in names.BUILT_IN)
"""Models of a rehearsal."""


def _check_max_memory(limits: dict[str, Any]) -> dict[str, Any]:
    for device, size in limits.items():
        if device != "cpu" and not _GPU.fullmatch(device):
            raise ValueError(f"{device!r} is no device: write a GPU of the slot by its number from 0, or cpu")
        if not _is_size(size):
            raise ValueError(f"{size!r} is no size for {device}: write bytes, or a number with GiB, MiB, GB or MB")
    return limits


def _is_size(size: object) -> bool:
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        return match is not None and float(match["number"]) > 0
    return isinstance(size, int) and not isinstance(size, bool) and size > 0


class ModelFactors(Factors):
    """Factors that decide which model is in memory, and where."""

    model: ModelId = Field(
        description=f"model that is loaded: {MODEL_NAMES}", json_schema_extra=rehearsed_with(*BUILT_IN_MODELS)
    )
    device_map: Literal["single", "auto", "balanced", "sequential"] = Field(
        default="single",
        description='places of the layers: `"single"` puts all on the first device, `"sequential"` fills one GPU after '
        'the other and then the CPU, `"balanced"` and `"auto"` (the same in transformers) share them out evenly; on '
        '`"cpu"` only `"single"`',
        json_schema_extra=rehearsed_with("single"),
    )
    max_memory: Annotated[dict[str, Any], AfterValidator(_check_max_memory)] = Field(
        default_factory=dict,
        description='most that each device takes of the weights, as `{ 0 = "7GiB", cpu = "30GiB" }`: GPUs are the '
        "slot's own, numbered from 0; sizes are bytes, or numbers with GiB, MiB, GB or MB; a device that is not named "
        'takes nothing; the empty table allows all that is free; not with device_map `"single"`',
        json_schema_extra=rehearsed_with({}),
    )
    quantization: Quantization = "none"
    dtype: Dtype = "auto"

    @model_validator(mode="after")
    def _cpu_is_one_device(self) -> Self:
        if self.device == "cpu" and self.device_map != "single":
            raise ValueError(f"device_map {self.device_map!r} shares a model out over GPUs, and cpu has none")
        return self

    @model_validator(mode="after")
    def _limits_what_is_shared_out(self) -> Self:
        if self.max_memory and self.device_map == "single":
            raise ValueError("max_memory limits how a model is shared out, and device_map 'single' does not share it")
        gpus = self.slot.gpus
        for device in self.max_memory:
            if device != "cpu" and int(device) >= gpus:
                numbers = "GPU 0 only" if gpus == 1 else f"GPUs 0 to {gpus - 1}"
                raise ValueError(f"max_memory names GPU {device}, and the slot {self.device!r} has {numbers}")
        return self


def model_weights(factors: ModelFactors, devices: tuple[str, ...]) -> Weights:
    """Return the weights of a model: whole on the first device, unless its layers are shared out."""
    is_whole = factors.device_map == "single"
    return Weights(factors.quantization, factors.dtype, {devices[0]: [factors.model]} if is_whole else {})


class HoldsModel(OneTaskPerCell):
    """A benchmark that keeps one model and its tokenizer in memory."""

    resource_kind: ClassVar[str | None] = "model"
    load_factors: ClassVar[tuple[str, ...]] = ("model", "device_map", "max_memory", "quantization", "dtype")

    def load(self, factors: ModelFactors, devices: tuple[str, ...]) -> "LoadedModel":
        """Load the model and its tokenizer."""
        from models.load import load_model

        return load_model(
            factors.model,
            devices=devices,
            device_map=factors.device_map,
            max_memory=factors.max_memory,
            quantization=factors.quantization,
            dtype=factors.dtype,
        )

    def weights(self, factors: ModelFactors, devices: tuple[str, ...]) -> Weights:
        """Return the model's weights: whole on the first device, unless its layers are shared out."""
        return model_weights(factors, devices)

    def unload(self, held: "LoadedModel") -> None:
        """Release the model."""
        from models.load import unload

        unload(held)
