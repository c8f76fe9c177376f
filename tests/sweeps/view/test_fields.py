"""Values, defaults and meanings of fields in words."""

import tomllib
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from actors.benchmarks import BENCHMARKS
from sweeps.view.fields import fields_of, summary_of, toml
from tests.fakes import Faulty


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    x: int


class Everything(BaseModel):
    flag: bool = False
    count: Annotated[int, Field(ge=1)] = 2
    share: float = Field(default=0.5, ge=0, le=1)
    above: float = Field(default=0.5, gt=0)
    most: int = Field(default=1, le=9000)
    free: float = 1e-06
    level: Literal["a", "b|c", 3] = "a"
    only: Literal["x"] = "x"
    color: Color = Color.RED
    maybe: str | None = None
    either: str | dict[str, Any] = "x"
    inner: Inner | None = None
    inners: list[Inner] = Field(default_factory=list)
    pair: Annotated[list[str], Field(min_length=2, max_length=2)]
    odd: list[Literal["a", "b"]] = Field(default_factory=lambda: ["a"])
    listed: dict[str, list[Any]] = Field(default_factory=lambda: {"a b": [1, True]})
    anything: Any = Field(default=None, description="whatever")
    device: str = "mine"


@pytest.mark.parametrize(
    ("name", "values", "default"),
    [
        ("flag", "`true`, `false`", "`false`"),
        ("count", "whole number, 1 or more", "`2`"),
        ("share", "number, 0 to 1", "`0.5`"),
        ("above", "number, more than 0", "`0.5`"),
        ("most", "whole number, 9,000 at most", "`1`"),
        ("free", "number", "`1e-06`"),
        ("level", '`"a"`, `"b|c"`, `3`', '`"a"`'),
        ("only", '`"x"`', '`"x"`'),
        ("color", '`"red"`, `"blue"`', '`"red"`'),
        ("maybe", "text", "may be left out"),
        ("either", "text or table", '`"x"`'),
        ("inner", "table", "may be left out"),
        ("inners", "list of tables", "`[]`"),
        ("pair", "list of 2 texts", "must be given"),
        ("odd", "list", '`["a"]`'),
        ("listed", "table of lists", '`{ "a b" = [1, true] }`'),
        ("anything", "any value", "may be left out"),
        ("device", "text", '`"gpu"` where the cluster has a GPU, else `"cpu"`'),
    ],
)
def test_a_field_in_words(name: str, values: str, default: str) -> None:
    (field,) = [field for field in fields_of(Everything) if field.name == name]
    assert (field.values, field.default) == (values, default)
    assert field.meaning == ("whatever" if name == "anything" else "")


@pytest.mark.parametrize(
    "value", [1, 0.5, True, 'a "quoted" \\ text', [], [1, [2]], {}, {"0": "7GiB", "a b": {"c": 1}}]
)
def test_toml_reads_back_what_is_written(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}") == {"value": value}


def test_a_benchmark_says_what_it_measures_by_its_module_or_its_class() -> None:
    class Empty(Faulty):
        """Does
        nothing.

        And more.
        """

    assert summary_of("encoding", BENCHMARKS).startswith("the speed at which a tokenizer turns texts")
    assert summary_of("empty", {"empty": Empty()}) == "Does nothing"
    assert summary_of("faulty", {"faulty": Faulty()}) == ""
    assert all(summary_of(name, BENCHMARKS) for name in BENCHMARKS)
