"""Files that are replaced together: all of them, or none."""

from pathlib import Path

import pytest

from sweeps.atomic_write import write_all_atomically
from sweeps.errors import SinkFailed


def test_a_directory_in_the_place_of_one_file_leaves_all_others_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "first.csv").write_text("old")
    (tmp_path / "last.json").mkdir()
    with pytest.raises(SinkFailed, match=r"last.json: cannot be written: Is a directory"):
        write_all_atomically({tmp_path / "first.csv": "new", tmp_path / "last.json": "{}"})
    assert (tmp_path / "first.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "last.json"]
