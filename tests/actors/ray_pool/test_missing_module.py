"""A node without the package of a benchmark says so, and names the module."""

import sys
import types
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.nodes import cluster_nodes
from actors.ray_pool.pool import RayPool
from sweeps.errors import UserError
from sweeps.planning import make_plan
from sweeps.schedule.policy import Policy
from sweeps.schedule.supervisor import Interrupts, Supervisor
from tests.fakes import REGISTRY, Faulty, faulty_spec

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]
REASON = "the node has no module named 'only_here', which a benchmark of the spec needs; install the package"


@pytest.fixture
def only_here(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Registry with a benchmark of a module that this process alone has."""
    module = types.ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    benchmark = type("OnlyHere", (Faulty,), {"__module__": "only_here"})
    module.OnlyHere = benchmark  # type: ignore[attr-defined]
    return {"noop": benchmark()}


def test_a_coordinator_that_lacks_it(tmp_path: Path, only_here: dict[str, Any]) -> None:
    plan = make_plan(faulty_spec("coordinator"), only_here, tmp_path)
    coordinator = RayCoordinator.start(plan, only_here, Policy())
    with pytest.raises(UserError, match=REASON):
        coordinator.open()


@pytest.mark.slow
def test_workers_that_lack_it(tmp_path: Path, only_here: dict[str, Any]) -> None:
    # A name of its own: Ray may still keep that of a coordinator that has just died.
    coordinator = RayCoordinator.start(make_plan(faulty_spec("workers"), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    pool = RayPool(coordinator, only_here, cluster_nodes())
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    pool.close()
    assert coordinator.close().counts == {"worker_lost": 1}
    (row,) = ds.dataset(sorted(tmp_path.glob("*/part-*.parquet"))).to_table().to_pylist()
    assert f"3 workers for cpu, 1 core died before their first task: {REASON}" in row["error_message"]
