"""Environment files of any shape: what they say is used, what is odd is said, nothing is raised."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.description import UNKNOWN, Description, read_description
from analysis.surroundings import outline

FULL: dict[str, Any] = {
    "version": 2,
    "spec": {
        "name": "demo",
        "sweep": {"name": "s", "factors": {"model": ["a"], "pair": [["o", "p"]]}, "figure": {"x": "model", "y": None}},
    },
    "environments": {"e1": {"host": "box"}},
    "inputs": {"corpus": "abc"},
    "tasks": 44,
    "command": "python -m sweeps.run s.toml",
}


def described(tmp_path: Path, content: bytes | str, name: str = "_environment.json") -> Description:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_description(tmp_path)


def test_what_the_file_says(tmp_path: Path) -> None:
    seen = described(tmp_path, json.dumps(FULL))
    assert seen == Description(
        spec_name="demo",
        spec=FULL["spec"]["sweep"],
        factors={"model": ["a"], "pair": ['["o", "p"]']},
        figure={"x": "model"},
        environments={"e1": {"host": "box"}},
        inputs={"corpus": "abc"},
        tasks=44,
        command="python -m sweeps.run s.toml",
    )


def test_an_older_runs_file_is_read_and_the_new_one_counts_first(tmp_path: Path) -> None:
    old = {"spec": {"name": "old", "sweep": {"factors": {}}}, "environments": {}}
    seen = described(tmp_path, json.dumps(old), "environment.json")
    assert (seen.spec_name, seen.tasks, seen.remarks) == ("old", None, ())
    assert described(tmp_path, json.dumps(FULL)).spec_name == "demo"


def test_a_spec_of_several_sweeps_gives_the_one_of_this_directory(tmp_path: Path) -> None:
    tables = [{"name": "other"}, {"name": tmp_path.name, "seed": 7}, 5]
    assert described(tmp_path, json.dumps({"spec": {"sweep": tables}})).spec == {"name": tmp_path.name, "seed": 7}


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert described(tmp_path, b"\xef\xbb\xbf" + json.dumps(FULL).encode()).remarks == ()


def test_no_file_is_said(tmp_path: Path) -> None:
    assert read_description(tmp_path) == Description(
        remarks=(f"no _environment.json beside the rows: {UNKNOWN}",), is_known=False
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read (Expecting value"),
        (b"{", "cannot be read"),
        (json.dumps(FULL).encode()[:-30], "cannot be read"),
        (b'{"a": "\xff"}', "cannot be read ('utf-8' codec"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "cannot be read"),
        (b"[]", "holds a list, not an object"),
        (b"null", "holds null, not an object"),
        (b"NaN", "holds a number, not an object"),
    ],
)
def test_what_is_no_object_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    seen = described(tmp_path, content)
    (remark,) = seen.remarks
    assert says in remark
    assert remark.endswith(UNKNOWN)
    assert seen.spec == {}


def test_a_directory_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "_environment.json").mkdir()
    assert "cannot be read (not a file)" in read_description(tmp_path).remarks[0]


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("spec",), [], "spec is a list, not an object; ignored"),
        (("spec", "name"), 5, "spec.name is a whole number, not a string; ignored"),
        (("spec", "sweep"), "x", "spec.sweep is a string, not an object; ignored"),
        (("spec", "sweep", "factors"), ["model"], "spec.sweep.factors is a list, not an object; ignored"),
        (
            ("spec", "sweep", "factors", "model"),
            "a",
            "factors.model is a string, not a list; the order of its levels is unknown",
        ),
        (("spec", "sweep", "figure"), "x", "spec.sweep.figure is a string, not an object; ignored"),
        (("spec", "sweep", "figure", "x"), ["model"], "figure: x cannot be used; chosen by rule instead"),
        (("spec", "sweep", "figure", "z"), "model", "figure: z cannot be used; chosen by rule instead"),
        (("environments",), [1], "environments is a list, not an object; ignored"),
        (("tasks",), "44", "tasks is a string, not a whole number; ignored"),
        (("tasks",), True, "tasks is a boolean, not a whole number; ignored"),
        (("tasks",), -1, "tasks is -1; ignored"),
        (("command",), {}, "command is an object, not a string; ignored"),
        (("version",), 3, "has version 3, this report knows version 2"),
    ],
)
def test_each_odd_place_is_named_and_the_rest_is_used(tmp_path: Path, place: Any, value: Any, says: str) -> None:
    document = json.loads(json.dumps(FULL))
    owner = document
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    seen = described(tmp_path, json.dumps(document))
    assert [remark for remark in seen.remarks if says in remark]
    assert seen.inputs == {"corpus": "abc"}


def test_keys_that_are_there_twice_are_named(tmp_path: Path) -> None:
    seen = described(tmp_path, '{"spec": {"name": "a", "name": "b"}, "tasks": 1, "tasks": 2}')
    assert (
        seen.remarks[0] == "_environment.json: keys that occur twice in one object: name, tasks; the last value is used"
    )
    assert (seen.spec_name, seen.tasks) == ("b", 2)


def test_what_a_page_shows_of_a_value_is_bounded() -> None:
    deep: Any = "x" * 10_000
    for _ in range(500):
        deep = [deep, {"k" * 1_000: deep}]
    shown = json.dumps(outline([deep, list(range(10_000)), {str(i): i for i in range(10_000)}]))
    assert "(nested deeper)" in shown
    assert "9,600 more" in shown
    assert len(shown) < 200_000
    assert outline({"a": [1, None, True, "b"]}) == {"a": [1, None, True, "b"]}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def odd_documents(draw: st.DrawFn) -> Any:
    """The full document with any value in up to three of its places."""
    document = json.loads(json.dumps(FULL))
    for _ in range(draw(st.integers(1, 3))):
        owner, key = document, draw(st.sampled_from(sorted(document)))
        while isinstance(owner[key], dict) and owner[key] and draw(st.booleans()):
            owner, key = owner[key], draw(st.sampled_from(sorted(owner[key])))
        owner[key] = draw(ANY_JSON)
    return document


@pytest.mark.fuzz
@given(document=odd_documents() | ANY_JSON)
def test_any_value_in_any_place(tmp_path_factory: pytest.TempPathFactory, document: Any) -> None:
    seen = described(tmp_path_factory.mktemp("d"), json.dumps(document))
    assert all(isinstance(levels, list) for levels in seen.factors.values())
    assert all(isinstance(column, str) for column in seen.figure.values())
    assert isinstance(seen.environments, dict)
    assert seen.tasks is None or seen.tasks >= 0
    json.dumps(outline([seen.environments, seen.inputs, seen.spec]))


@pytest.mark.fuzz
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert described(tmp_path_factory.mktemp("d"), content).remarks
