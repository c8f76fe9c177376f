"""Every key of a spec and every factor says what it means: the docs and `--explain` are made of that."""

import pytest
from pydantic import BaseModel

from actors.benchmarks import BENCHMARKS
from sweeps.plan.spec import Defaults, Figure, Spec, Sweep
from tests.fakes import FaultyFactors

MODELS = [Spec, Sweep, Figure, Defaults, *(benchmark.factors for benchmark in BENCHMARKS.values())]


def undescribed(model: type[BaseModel]) -> list[str]:
    """Names of fields whose description is missing, blank, or no fragment of a sentence on one line."""
    return [name for name, field in model.model_fields.items() if not _is_description(field.description)]


def _is_description(text: str | None) -> bool:
    return bool(text) and text == " ".join(text.split()) and not text.endswith(".")  # type: ignore[union-attr]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_and_factor_has_a_description(model: type[BaseModel]) -> None:
    assert undescribed(model) == []


def test_a_factor_without_a_description_is_found() -> None:
    assert undescribed(FaultyFactors) == ["thing", "fault", "marker"]
