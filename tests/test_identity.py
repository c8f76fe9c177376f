"""Rows are of the files that the spec means, wherever it is started and wherever Ray was."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from actors.benchmarks import BENCHMARKS
from actors.devices.nodes import local_node
from actors.inline_pool import InlinePool
from models.builtin.cache import model_directory
from sweeps.errors import UserError
from sweeps.plan.spec import Defaults
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.store.finished import Again

pytestmark = pytest.mark.slow

SCORES = """
name = "scores"
[[sweep]]
name = "s"
benchmark = "binoculars"
[sweep.factors]
pair = [["./base", "./instruct"]]
corpus = [{ path = "texts.jsonl", human = "human", synthetic = "ai" }]
fragments = [{ mode = "whole" }]
device = ["cpu"]
cpu_cores = [1]
"""
LOADS = """
name = "loads"
[[sweep]]
name = "s"
benchmark = "model_loading"
iterations = 1
warmup = 0
[sweep.factors]
model = ["./base"]
device = ["cpu"]
cpu_cores = [1]
"""


def texts_of(place: str) -> list[str]:
    return [f"A {author} wrote text number {number} in {place}." for number in range(3) for author in ("human", "ai")]


def furnish(directory: Path, spec: str, seed: int = 0) -> str:
    """A directory with models, texts and a spec that names them by relative paths; the spec's path."""
    directory.mkdir(parents=True)
    for name in ("base", "instruct"):
        shutil.copytree(model_directory(f"tiny-{name}"), directory / name)
    config = json.loads((directory / "base" / "config.json").read_text())
    (directory / "base" / "config.json").write_text(json.dumps(config | {"seed_of_this_test": seed}))
    texts = texts_of(directory.name)
    rows = ({"human": human, "ai": ai} for human, ai in zip(texts[::2], texts[1::2], strict=True))
    (directory / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "spec.toml").write_text(spec)
    return str(directory / "spec.toml")


def rows(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "s")


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_two_directories_and_a_ray_of_a_third(tmp_path: Path) -> None:
    from actors.ray_pool.cluster import current_address

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "texts.jsonl").write_text("not this one\n")
    for seed, place in enumerate(("one", "two")):
        spec = furnish(tmp_path / place, SCORES, seed)
        command = [sys.executable, "-m", "sweeps.run", spec, "--out", str(tmp_path / f"runs-{place}")]
        answer = subprocess.run(
            [*command, "--address", current_address()],
            cwd=elsewhere,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        table = rows(tmp_path / f"runs-{place}" / "scores")
        assert set(table["text_sha256"]) == {hashlib.sha256(text.encode()).hexdigest() for text in texts_of(place)}
        assert json.loads(table["pair"][0]) == [f"{tmp_path}/{place}/base", f"{tmp_path}/{place}/instruct"]
    one, two = (rows(tmp_path / f"runs-{place}" / "scores") for place in ("one", "two"))
    assert not set(one["cell_id"]) & set(two["cell_id"])
    assert set(one["revision"]) != set(two["revision"])


def run(
    spec: str, out: Path, before: Callable[[], Any] = lambda: None, again: Again | None = None, **changes: Any
) -> Status:
    read = with_defaults(read_spec(spec, [], BENCHMARKS), Defaults(device="cpu", cpu_cores=1), BENCHMARKS)
    (sweep,) = read.sweep
    plan = make_plan(read.model_copy(update={"sweep": [sweep.model_copy(update=changes)]}), BENCHMARKS, out / read.name)
    before()
    coordinator = Coordinator(plan, BENCHMARKS, Policy(again=again or Again()))
    coordinator.open()
    pool = InlinePool(coordinator, BENCHMARKS, local_node(), 600.0)
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    return coordinator.close()


def another_model(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"seed_of_this_test": 99}))


def test_another_model_at_the_same_path_is_refused_by_name(tmp_path: Path) -> None:
    spec = furnish(tmp_path / "one", LOADS)
    run(spec, tmp_path)
    assert rows(tmp_path / "loads")["revision"][0].startswith("sha256:")
    another_model(tmp_path / "one" / "base")
    with pytest.raises(UserError, match=f"{tmp_path}/one/base holds another model"):
        run(spec, tmp_path, rounds=2)


def test_a_model_that_is_replaced_while_the_run_goes_on_stops_it(tmp_path: Path) -> None:
    spec = furnish(tmp_path / "one", LOADS)
    status = run(spec, tmp_path, before=lambda: another_model(tmp_path / "one" / "base"))
    assert (status.done, status.left) == (0, 1)
    assert f"{tmp_path}/one/base" in str(status.failure)
    assert "replaced since" in str(status.failure)


def test_a_model_that_is_replaced_by_one_that_cannot_run_stops_the_run_too(tmp_path: Path) -> None:
    spec = furnish(tmp_path / "one", LOADS)
    weights = tmp_path / "one" / "base" / "model.safetensors"
    status = run(spec, tmp_path, before=lambda: weights.write_bytes(weights.read_bytes()[:-4096]))
    assert (status.done, "replaced since" in str(status.failure)) == (0, True)


def test_a_damaged_model_may_be_mended(tmp_path: Path) -> None:
    spec = furnish(tmp_path / "one", LOADS)
    weights = tmp_path / "one" / "base" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    assert run(spec, tmp_path).counts == {"error": 1}
    weights.write_bytes(whole)
    assert run(spec, tmp_path, again=Again(("error",))).counts == {"ok": 1}


def test_one_model_in_two_directories_is_two_cells_of_one_revision(tmp_path: Path) -> None:
    spec = furnish(tmp_path / "one", LOADS.replace('["./base"]', '["./base", "copy"]'))
    shutil.copytree(tmp_path / "one" / "base", tmp_path / "one" / "copy")
    run(spec, tmp_path)
    table = rows(tmp_path / "loads")
    assert (table["cell_id"].nunique(), table["revision"].nunique()) == (2, 1)


def test_iterations_added_to_real_measurements_make_a_larger_n(tmp_path: Path) -> None:
    spec = furnish(tmp_path / "one", LOADS)
    run(spec, tmp_path)
    run(spec, tmp_path, iterations=3)
    table = rows(tmp_path / "loads")
    assert sorted(table["iteration"]) == [0, 1, 2]
    assert table["cell_id"].nunique() == 1
