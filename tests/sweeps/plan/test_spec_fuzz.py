"""Any TOML value in any place of a spec: a plan comes of it, or one message."""

import contextlib
import copy
import datetime
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.benchmarks import BENCHMARKS
from models.errors import ModelError
from scoring.errors import ScoringError
from sweeps.errors import UserError
from sweeps.plan.spec import Defaults
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.planning import make_plan
from sweeps.store.finished import Finished, pending_groups

pytestmark = pytest.mark.fuzz

SPEC: dict[str, Any] = {
    "name": "good",
    "sweep": [
        {
            "name": "noops",
            "benchmark": "noop",
            "iterations": 2,
            "warmup": 0,
            "rounds": 1,
            "seed": 0,
            "factors": {"device": ["cpu"], "cpu_cores": [1], "index": [0, 1], "wait_s": [0.5]},
            "exclude": [{"index": [1]}],
            "figure": {"y": "duration_s", "x": "index", "panel": "device", "series": "cpu_cores"},
        },
        {
            "name": "loads",
            "benchmark": "model_loading",
            "factors": {
                "model": ["builtin://tiny-base", "./m", "org/name@main"],
                "source": ["default", "/drive"],
                "max_memory": [{}],
                "quantization": ["none"],
                "cpu_cores": [1],
            },
        },
        {
            "name": "scores",
            "benchmark": "binoculars",
            "factors": {
                "pair": [["builtin://tiny-base", "./m"]],
                "corpus": [{"path": "./nothing-here.jsonl", "text": "body", "synthetic_labels": ["*"]}],
                "fragments": [{"mode": "random", "min_words": 10, "max_words": 300}],
                "max_tokens": [512],
            },
        },
    ],
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.times() | st.datetimes() | st.datetimes(timezones=st.just(datetime.UTC))
dates = st.dates() | moments.map(lambda moment: moment.replace(fold=0))
scalars = st.booleans() | st.integers() | st.integers(2**31 - 2, 2**80) | st.floats() | texts | dates
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything in a nested value, itself included."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def toml(value: Any) -> str:
    """An inline TOML value."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return "nan" if math.isnan(value) else repr(value)
        case str():
            return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in value) + '"'
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case int():
            return str(value)
        case _:
            return str(value.isoformat())


def written(content: dict[str, Any], directory: Path) -> str:
    path = directory / "spec.toml"
    path.write_text("".join(f"{toml(key)} = {toml(value)}\n" for key, value in content.items()))
    return str(path)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs")


@contextlib.contextmanager
def one_message() -> Iterator[None]:
    """Everything that is wrong is told by an error of ours, in our words, as text."""
    try:
        yield
    except (UserError, ModelError, ScoringError) as error:
        message = str(error)
        assert message.encode()
        assert not any(words in message for words in ("pydantic", "Input should", "Extra inputs", "Traceback"))


def plan(path: str, overrides: list[str], directory: Path) -> None:
    """As the command does it, but for grids that are merely large and corpora that are somebody's disk."""
    with one_message():
        spec = read_spec(path, overrides, BENCHMARKS)
        small = [sweep for sweep in spec.sweep if sweep.rounds < 50 and sweep.benchmark != "binoculars"]
        if small:
            completed = with_defaults(
                spec.model_copy(update={"sweep": small}), Defaults(device="cpu", cpu_cores=1), BENCHMARKS
            )
            grid = make_plan(completed, BENCHMARKS, directory / "run")
            pending_groups(grid, Finished())


@given(place=st.sampled_from(list(places(SPEC))[1:]), value=values)
def test_any_value_in_any_place(directory: Path, place: tuple[Any, ...], value: Any) -> None:
    content = copy.deepcopy(SPEC)
    holder: Any = content
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    plan(written(content, directory), [], directory)


@given(place=st.sampled_from(["", "sweep", "factors", "exclude", "figure"]), key=texts, value=values)
def test_any_key_in_any_table(directory: Path, place: str, key: str, value: Any) -> None:
    content = copy.deepcopy(SPEC)
    sweep = content["sweep"][0]
    tables = {"": content, "sweep": sweep, "exclude": sweep["exclude"][0]}
    tables.get(place, sweep.get(place))[key] = value  # type: ignore[index]
    plan(written(content, directory), [], directory)


@given(path=st.text(max_size=30) | st.sampled_from(["noops.factors.index", "loads.factors", "scores"]), value=values)
def test_any_override(directory: Path, path: str, value: Any) -> None:
    plan(written(SPEC, directory), [f"{path}={toml(value)}"], directory)


@given(content=st.binary(max_size=60))
def test_any_bytes(directory: Path, content: bytes) -> None:
    (directory / "bytes.toml").write_bytes(content)
    plan(str(directory / "bytes.toml"), [], directory)


@given(value=values)
def test_what_is_written_here_is_toml(value: Any) -> None:
    read = tomllib.loads(f"value = {toml(value)}")["value"]
    assert repr(read) == repr(value)
