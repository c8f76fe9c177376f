"""Any damage to any file of a run directory: the run goes on or says one message, and no whole part is lost."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.errors import SinkFailed, UserError
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.store.sink import Sink
from tests.fakes import REGISTRY, faulty_spec
from tests.sweeps.test_continuing import run_all

pytestmark = pytest.mark.fuzz
SPEC = faulty_spec(index=[0, 1, 2, 3])
NAMES = ["part-000000-000001.parquet", "part-000002.parquet", "_environment.json"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two parts, of two tasks each; one of them was merged."""
    directory = tmp_path_factory.mktemp("good")
    run_all(directory, faulty_spec(index=[0]))
    run_all(directory, faulty_spec(index=[0, 1]))
    with mock.patch.object(Sink, "merge"):
        run_all(directory, SPEC)
    assert sorted(path.name for path in (directory / "s").iterdir()) == sorted(NAMES)
    return directory


def _flip(path: Path, place: int, noise: bytes) -> None:
    content = bytearray(path.read_bytes())
    place %= len(content)
    content[place : place + len(noise)] = noise
    path.write_bytes(content)


def _to_directory(path: Path, _place: int, _noise: bytes) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path, int, bytes], object]] = {
    "flip": _flip,
    "truncate": lambda path, place, _noise: path.write_bytes(path.read_bytes()[: place % path.stat().st_size]),
    "replace": lambda path, _place, noise: path.write_bytes(noise),
    "append": lambda path, _place, noise: path.write_bytes(path.read_bytes() + noise),
    "delete": lambda path, _place, _noise: path.unlink(),
    "directory": _to_directory,
    "double": lambda path, _place, _noise: shutil.copy(path, path.with_name("part-000009.parquet")),
    "stray": lambda path, _place, noise: path.with_name("part-x.parquet").write_bytes(noise),
}


@given(
    name=st.sampled_from(NAMES),
    damage=st.sampled_from(sorted(DAMAGE)),
    place=st.integers(0, 10_000),
    noise=st.binary(min_size=1, max_size=20),
)
def test_any_damage(good: Path, name: str, damage: str, place: int, noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(shutil.copytree(good, folder, dirs_exist_ok=True))
        DAMAGE[damage](directory / "s" / name, place, noise)
        whole = {path.name: path.read_bytes() for path in (good / "s").iterdir() if path.name != name}
        try:
            run_all(directory, SPEC)
        except (UserError, SinkFailed) as error:
            assert str(error)
            for path, content in whole.items():
                assert (directory / "s" / path).read_bytes() == content, "refused, and nothing was touched"
        else:
            rows = [row for part in (directory / "s").glob("part-*") for row in pq.read_table(part).to_pylist()]
            assert sorted({row["index"] for row in rows}) == [0, 1, 2, 3]
            Coordinator(make_plan(SPEC, REGISTRY, directory), REGISTRY, Policy()).open()
