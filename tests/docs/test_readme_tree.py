"""The tree of README.md names the files that there are."""

import re

import pytest

from tests.conftest import ROOT

TREE = (ROOT / "README.md").read_text(encoding="utf-8")
AS_A_FOLDER = "analysis/corpus_statistics"
"""Folder that the tree describes as a whole."""


@pytest.mark.parametrize("package", ["sweeps", "actors", "models", "scoring", "analysis"])
def test_every_module_is_in_the_tree(package: str) -> None:
    paths = [path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")]
    named = set(re.findall(r"\w+\.py", TREE))
    unnamed = [path for path in paths if path.rpartition("/")[2] not in named | {"__init__.py", "__main__.py"}]
    assert [path for path in unnamed if not path.startswith(AS_A_FOLDER)] == []


def test_every_file_in_the_tree_is_there() -> None:
    there = {path.name for folder in ("sweeps", "actors", "models", "scoring", "analysis", "docs", "tests", "bench")
             for path in (ROOT / folder).rglob("*.py")}  # fmt: skip
    assert set(re.findall(r"\w+\.py", TREE)) - there == set()
