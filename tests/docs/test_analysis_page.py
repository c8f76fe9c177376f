"""The Python of docs/analysis.md runs as it stands on the page, and its table has the public names."""

import re
from pathlib import Path
from typing import Any

import pytest

import analysis
from tests.analysis.conftest import cell_rows, write_sweep
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("quickstart", "old"):
        rows = [row for tokens in (16, 32) for row in cell_rows([9.0, 10.0, 11.0, 10.0, 9.0], max_new_tokens=tokens)]
        write_sweep(tmp_path / "runs" / name, rows)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["figures"]
    assert {path.stem for path in tmp_path.glob("*.png")} == set(names["figures"])


def test_the_table_of_the_page_has_every_public_name() -> None:
    assert sorted(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE)) == sorted(analysis.__all__)
