"""What the benchmarks of one model have in common: which factors decide what is in memory, load and unload.

Benchmarks that hold a model share it: a worker that generated with a model computes logits with the same one.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from actors.benchmarks.base import OnePart
from sweeps.factors import Factors

if TYPE_CHECKING:
    from models.load import LoadedModel


class ModelFactors(Factors):
    """What decides which model is in memory, and where."""

    model: Annotated[str, Field(min_length=1)]
    device_map: Literal["single", "auto", "balanced", "sequential"] = "single"
    max_memory: dict[str, Any] = Field(default_factory=dict)
    """By device, as accelerate reads it: `{ "0" = "7GiB", cpu = "30GiB" }`; empty: whatever is free."""
    quantization: Literal["none", "4-bit", "8-bit"] = "none"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"

    @model_validator(mode="after")
    def _cpu_is_one_device(self) -> Self:
        if self.device == "cpu" and self.device_map != "single":
            raise ValueError(f"device_map {self.device_map!r} shares a model out over GPUs, and cpu has none")
        return self


class HoldsModel(OnePart):
    """A benchmark that keeps one model and its tokenizer in memory."""

    holds: ClassVar[str] = "model"
    load_factors: ClassVar[tuple[str, ...]] = ("model", "device_map", "max_memory", "quantization", "dtype")

    def load(self, factors: ModelFactors, devices: tuple[str, ...]) -> "LoadedModel":
        """The model and its tokenizer."""
        from models.load import load_model

        return load_model(
            factors.model,
            devices=devices,
            device_map=factors.device_map,
            max_memory=factors.max_memory,
            quantization=factors.quantization,
            dtype=factors.dtype,
        )

    def unload(self, held: "LoadedModel") -> None:
        """Drop the weights."""
        from models.load import unload

        unload(held)
