"""What `Binoculars` may be told: every argument is looked at before anything is loaded, and told by its name."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, get_args

import torch

from models.load import DeviceMap, Dtype, LoadedModel, Quantization
from scoring.errors import ArgumentError
from scoring.pair import Placement
from scoring.perplexity import Tile
from scoring.results import Alignment

CHOICES: Final = {
    "alignment": get_args(Alignment),
    "placement": get_args(Placement),
    "device_map": get_args(DeviceMap),
    "quantization": get_args(Quantization),
    "dtype": get_args(Dtype),
}
MIN_TOKENS: Final = 2
"""Of one token nothing is predicted."""
LOAD_DEFAULTS: Final[Mapping[str, object]] = {
    "devices": None,
    "device_map": "single",
    "quantization": "none",
    "dtype": "auto",
}
"""What says how models are loaded, with what it is if it is not given."""


def check_choices(**arguments: object) -> None:
    """Check arguments that take one of a few words.

    Raises:
        ArgumentError: with the words.
    """
    for name, value in arguments.items():
        if not isinstance(value, str) or value not in CHOICES[name]:
            raise ArgumentError(f"{name} is {value!r}; choose {_alternatives(map(repr, CHOICES[name]))}")


def check_whole_number(name: str, value: object, least: int) -> int:
    """The number as an int.

    Raises:
        ArgumentError: it is none (a truth value and 2.0 are none), or less than `least`.
    """
    is_whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not is_whole or int(value) < least:  # type: ignore[call-overload]
        raise ArgumentError(f"{name} is {value!r}; give a whole number from {least}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def check_model(name: str, value: object) -> str | LoadedModel:
    """A model that is loaded, or its name; a path is made absolute, because `org/name` alone is a name of the Hub.

    Raises:
        ArgumentError: it is neither.
    """
    if isinstance(value, str | LoadedModel):
        return value
    if isinstance(value, os.PathLike) and isinstance(path := os.fspath(value), str):
        return str(Path(path).absolute())
    raise ArgumentError(
        f"{name} is {value!r}; give the name of a model, a path (pathlib.Path), or what models.load.load_model returns"
    )


def check_devices(value: object) -> tuple[str, ...]:
    """The devices; where none are given, the GPUs, else the CPU.

    Raises:
        ArgumentError: it is no tuple of names, or this machine has no such device; with those that it has.
    """
    gpus = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    if value is None:
        return gpus or ("cpu",)
    known = ("cpu", *gpus)
    if not isinstance(value, tuple) or not value:
        raise ArgumentError(f"devices is {value!r}; give a tuple of names, as {known[-1:]!r}, or leave it out")
    for device in value:
        if not isinstance(device, str) or device not in known:
            raise ArgumentError(f"devices has {device!r}; this machine has {', '.join(known)}")
    return value


def check_tile(value: object) -> Tile | None:
    """The tile.

    Raises:
        ArgumentError: it is no tile, or one without tokens or columns.
    """
    if value is None:
        return None
    if not isinstance(value, Tile):
        raise ArgumentError(f"tile is {value!r}; give a scoring.perplexity.Tile, or leave it out")
    for name, number in vars(value).items():
        check_whole_number(f"tile.{name}", number, 1)
    return value


def refuse_unused_load_arguments(models: Collection[str | LoadedModel], **arguments: object) -> None:
    """Refuse arguments of the load where both models are loaded already.

    Raises:
        ArgumentError: the first of them.
    """
    if any(isinstance(model, str) for model in models):
        return
    for name, value in arguments.items():
        if value != LOAD_DEFAULTS[name]:
            raise ArgumentError(
                f"{name} is {value!r}, and both models are loaded already; say it where they are loaded "
                "(models.load.load_model)"
            )


def _alternatives(words: "map[str]") -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"
