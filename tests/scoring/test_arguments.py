"""Every argument of `Binoculars` has its effect, or is refused by name before a model is loaded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.builtin.cache import model_directory
from models.load import LoadedModel
from scoring.arguments import check_devices, check_model, check_whole_number
from scoring.binoculars import Binoculars
from scoring.errors import ArgumentError
from scoring.perplexity import Tile

NOWHERE = ("/nowhere/base", "/nowhere/instruct")
"""Models that cannot be loaded: an argument is refused before."""
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "capitals": ({"alignment": "Reference"}, "alignment is 'Reference'; choose 'reference' or 'aligned'"),
    "no word": ({"alignment": None}, "alignment is None; choose"),
    "placement": ({"placement": "apart"}, "placement is 'apart'; choose 'same' or 'split'"),
    "dtype": ({"dtype": "fp16"}, "dtype is 'fp16'; choose 'auto', 'float32', 'bfloat16' or 'float16'"),
    "quantization": ({"quantization": 4}, "quantization is 4; choose 'none', '4-bit' or '8-bit'"),
    "device_map": (
        {"device_map": {"": "cpu"}},
        "; choose 'single', 'auto', 'balanced' or 'sequential'",
    ),
    "one string of devices": ({"devices": "cpu"}, "devices is 'cpu'; give a tuple of names"),
    "no devices": ({"devices": ()}, "devices is (); give a tuple of names"),
    "devices that are not here": ({"devices": ("cpu", "cuda:63")}, "devices has 'cuda:63'; this machine has cpu"),
    "devices by number": ({"devices": (0,)}, "devices has 0; this machine has cpu"),
    "no tokens": ({"max_tokens": 0}, "max_tokens is 0; give a whole number from 2"),
    "one token": ({"max_tokens": 1}, "max_tokens is 1; give a whole number from 2"),
    "fewer than none": ({"max_tokens": -1}, "max_tokens is -1; give"),
    "part of a token": ({"max_tokens": 2.5}, "max_tokens is 2.5; give"),
    "digits": ({"max_tokens": "5"}, "max_tokens is '5'; give"),
    "truth": ({"max_tokens": True}, "max_tokens is True; give"),
    "no limit": ({"max_tokens": None}, "max_tokens is None; give"),
    "no budget": ({"token_budget": 0}, "token_budget is 0; give a whole number from 1"),
    "negative budget": ({"token_budget": -5}, "token_budget is -5; give"),
    "budget in parts": ({"token_budget": 9.5}, "token_budget is 9.5; give"),
    "tile": ({"tile": (64, 64)}, "tile is (64, 64); give a scoring.perplexity.Tile"),
    "empty tile": ({"tile": Tile(0, 64)}, "is 0; give a whole number from 1"),
    "observer": ({"observer": None}, "observer is None; give the name of a model"),
    "performer": ({"performer": 5}, "performer is 5; give the name of a model"),
    "bytes": ({"performer": b"/nowhere"}, "performer is b'/nowhere'; give the name of a model"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_an_argument_that_means_nothing_is_refused_by_name(mistake: str) -> None:
    arguments, message = WRONG[mistake]
    named = {"observer": NOWHERE[0], "performer": NOWHERE[1]} | arguments
    with pytest.raises(ArgumentError) as caught:
        Binoculars(**named)
    assert isinstance(caught.value, ValueError)
    said = message.split(".*")
    assert all(part in str(caught.value) for part in said)


@pytest.mark.parametrize(
    "argument", [{"dtype": "float32"}, {"quantization": "4-bit"}, {"devices": ("cpu",)}, {"device_map": "auto"}]
)
def test_what_loaded_models_cannot_heed_is_refused(
    argument: dict[str, Any], llama_pair: tuple[LoadedModel, LoadedModel]
) -> None:
    (name,) = argument
    with pytest.raises(ArgumentError, match=f"^{name} is .*both models are loaded already"):
        Binoculars(*llama_pair, **argument)


def test_numbers_of_other_libraries_are_numbers() -> None:
    assert check_whole_number("max_tokens", np.int64(64), 2) == 64


def test_a_path_is_a_path_also_where_it_looks_like_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_model("observer", Path("org/name")) == str(tmp_path / "org/name")
    assert check_model("observer", "org/name") == "org/name"


def test_models_may_be_given_by_path() -> None:
    directory = model_directory("tiny-base")
    binoculars = Binoculars(directory, Path(directory))
    assert binoculars.pair.observer is binoculars.pair.performer


def test_devices_that_are_not_named_are_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert check_devices(None) == ("cuda:0", "cuda:1")
    assert check_devices(("cuda:1",)) == ("cuda:1",)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert check_devices(None) == ("cpu",)
