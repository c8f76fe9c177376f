"""Checks of the arguments of `Binoculars`, before any model is loaded. Every message names the argument."""

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
"""A text of a single token has no prediction."""
LOAD_DEFAULTS: Final[Mapping[str, object]] = {
    "devices": None,
    "device_map": "single",
    "quantization": "none",
    "dtype": "auto",
}
"""Arguments that say how models are loaded, with their defaults."""


def check_choices(**arguments: object) -> None:
    """Check arguments that take a word out of `CHOICES`.

    Raises:
        ArgumentError: an argument has another value; the message lists the allowed words.
    """
    for name, value in arguments.items():
        if not isinstance(value, str) or value not in CHOICES[name]:
            raise ArgumentError(f"{name} is {value!r}; choose {_alternatives(map(repr, CHOICES[name]))}")


def check_whole_number(name: str, value: object, least: int) -> int:
    """Return the number as an int.

    Raises:
        ArgumentError: the value is no whole number (True and 2.0 are none), or less than `least`.
    """
    is_whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not is_whole or int(value) < least:  # type: ignore[call-overload]
        raise ArgumentError(f"{name} is {value!r}; give a whole number from {least}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def check_flag(name: str, value: object) -> bool:
    """Return a value that is True or False.

    Raises:
        ArgumentError: the value is anything else.
    """
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} is {value!r}; give True or False")
    return value


def check_model(name: str, value: object) -> str | LoadedModel:
    """Return a loaded model or a model's name as given, and a path as an absolute name.

    A path is made absolute because a relative `org/name` would be read as a name of the Hub.

    Raises:
        ArgumentError: the value is neither a loaded model, nor a name, nor a path.
    """
    if isinstance(value, str | LoadedModel):
        return value
    if isinstance(value, os.PathLike) and isinstance(path := os.fspath(value), str):
        return str(Path(path).absolute())
    raise ArgumentError(
        f"{name} is {value!r}; give the name of a model, a path (pathlib.Path), or what models.load.load_model returns"
    )


def check_devices(value: object) -> tuple[str, ...]:
    """Return the devices; for None all GPUs of this machine, or the CPU where it has none.

    Raises:
        ArgumentError: the value is no tuple of names, or names a device that this machine lacks; the message lists
            the devices that it has.
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
    """Return the tile, or None for the default.

    Raises:
        ArgumentError: the value is no `Tile`, or has less than one token or column.
    """
    if value is None:
        return None
    if not isinstance(value, Tile):
        raise ArgumentError(f"tile is {value!r}; give a scoring.perplexity.Tile, or leave it out")
    for name, number in vars(value).items():
        check_whole_number(f"tile.{name}", number, 1)
    return value


def refuse_unused_load_arguments(models: Collection[str | LoadedModel], **arguments: object) -> None:
    """Refuse arguments that say how models are loaded, where both models are loaded already.

    Raises:
        ArgumentError: an argument differs from its default; the message names the first such argument.
    """
    if any(isinstance(model, str) for model in models):
        return
    for name, value in arguments.items():
        if value != LOAD_DEFAULTS[name]:
            raise ArgumentError(
                f"{name} is {value!r}, and both models are loaded already; give {name} where they are loaded "
                "(models.load.load_model)"
            )


def _alternatives(words: "map[str]") -> str:
    """Join words as in `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}"
