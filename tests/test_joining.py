"""A Ray that somebody else started, elsewhere and otherwise: without token and dashboard, with other caches."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from actors.benchmarks.base import OneTaskPerCell
from actors.ray_pool import surroundings
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.cluster import cluster
from actors.ray_pool.nodes import cluster_nodes
from actors.ray_pool.pool import RayPool
from sweeps.plan.declaration import Factors
from sweeps.schema import COLUMNS, Columns
from tests.fakes import FaultyFactors, faulty_spec
from tests.live_run import fresh_environment
from tests.test_cluster import _free_ports

ROOT = Path(__file__).parent.parent
SHADOW = "raise SystemExit('this directory is not to be imported from')"
SPEC = """
name = "mini"
[[sweep]]
name = "s"
benchmark = "noop"
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
"""
pytestmark = [pytest.mark.ray, pytest.mark.slow]


class Looking(OneTaskPerCell):
    """Writes down what its process sees."""

    columns: ClassVar[Columns] = COLUMNS["noop"]
    factors: ClassVar[type[Factors]] = FaultyFactors
    resource_kind: ClassVar[str | None] = None
    load_factors: ClassVar[tuple[str, ...]] = ()

    def __init__(self, told: Path) -> None:
        self.told = told

    def load(self, factors: Any, devices: tuple[str, ...]) -> None:
        pass

    def unload(self, held: None) -> None:
        pass

    def rows(self, held: None, task: Any, factors: Any) -> Any:
        import models.names

        seen = {"models": models.names.__file__, "path": sys.path, "files": surroundings.file_locations()}
        self.told.write_text(json.dumps(seen))
        yield {}


@dataclass
class Theirs:
    """A Ray that `ray start` made in a directory of its own, and a user who comes to it."""

    base: Path
    port: int

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """From a directory with a `models.py`, by a user who has a token and a proxy."""
        proxy = dict.fromkeys(("http_proxy", "HTTPS_PROXY", "all_proxy", "grpc_proxy"), "http://127.0.0.1:9")
        inherited = {name: value for name, value in fresh_environment().items() if not name.startswith(("HF_", "XDG_"))}
        own = {"HOME": str(self.base / "home"), "PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(self.base)}
        return subprocess.run(
            [sys.executable, "-P", *words],
            cwd=self.base / "here",
            env=inherited | own | proxy | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def theirs() -> Iterator[Theirs]:
    base = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    port, client_port = _free_ports(2)
    for name in ("here", "there", "home/.ray"):
        (base / name).mkdir(parents=True)
    for name in ("here", "there"):
        (base / name / "models.py").write_text(SHADOW)
    (base / "here" / "mini.toml").write_text(SPEC)
    (base / "home" / ".ray" / "auth_token").write_text("of the user, whom their Ray does not ask")
    # The workers' interpreter finds our packages by itself, as where the project is installed.
    start = f"-m ray.scripts.scripts start --head --port={port} --num-cpus=1 --include-dashboard=false"
    subprocess.run(
        [
            sys.executable,
            "-P",
            *start.split(),
            "--object-store-memory=100000000",
            f"--ray-client-server-port={client_port}",
        ],
        cwd=base / "there",
        env=fresh_environment() | {"RAY_TMPDIR": str(base), "RAY_AUTH_MODE": "disabled", "HF_HOME": "/theirs"},
        stdout=subprocess.DEVNULL,
        timeout=120,
        check=True,
    )
    try:
        yield Theirs(base, port)
    finally:
        left = [process for process in psutil.process_iter() if _ray_directory(process) == str(base)]
        for process in left:
            process.kill()
        psutil.wait_procs(left, 60)
        shutil.rmtree(base)


def _ray_directory(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("RAY_TMPDIR")
    except psutil.Error:
        return None


def test_it_is_joined_as_it_is_and_measures_our_files_with_our_code(theirs: Theirs) -> None:
    watch = theirs.run("-m", "sweeps.status", "--address", f"127.0.0.1:{theirs.port}")
    answer = theirs.run(str(Path(__file__)), str(theirs.base / "told"), PYTHONPATH=str(ROOT), HF_HOME="/ours")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (line,) = answer.stdout.splitlines()
    assert line.startswith("from another terminal: python -m sweeps.status --watch --address ")
    assert line.endswith(f":{theirs.port}"), "and not a word of a dashboard or a token"
    seen = json.loads((theirs.base / "told").read_text())
    assert seen["models"] == str(ROOT / "models" / "names.py")
    assert str(theirs.base / "here") not in seen["path"]
    assert seen["path"][0] == str(ROOT)
    assert seen["files"]["HF_HOME"] == "/ours"
    assert watch.returncode == 0, watch.stderr
    assert "no run there" in watch.stdout


def test_a_user_who_wants_a_token_is_told_that_it_has_none(theirs: Theirs) -> None:
    for module, words in (("sweeps.run", ["mini.toml"]), ("sweeps.status", [])):
        answer = theirs.run("-m", module, *words, "--address", "auto", RAY_AUTH_MODE="token")
        assert answer.returncode == 2, answer.stdout
        (line,) = answer.stderr.splitlines()
        assert "uses no token and this side does (RAY_AUTH_MODE=token); unset RAY_AUTH_MODE" in line


def main() -> None:
    """In a process of its own, because one process joins one Ray."""

    from sweeps.planning import make_plan
    from sweeps.schedule.policy import Policy
    from sweeps.schedule.supervisor import Interrupts, Supervisor

    told = Path(sys.argv[1])
    registry: dict[str, Any] = {"noop": Looking(told)}
    spec = faulty_spec()
    with cluster("auto") as lines:
        print(*lines, sep="\n")
        coordinator = RayCoordinator.start(make_plan(spec, registry, told.parent / "run"), registry, Policy())
        coordinator.open()
        pool = RayPool(coordinator, registry, cluster_nodes())
        Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
        pool.close()
        status = coordinator.close()
        assert status.counts == {"ok": 1}, status


if __name__ == "__main__":
    sys.modules["tests.test_joining"] = sys.modules["__main__"]
    Looking.__module__ = "tests.test_joining"
    main()
