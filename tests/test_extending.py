"""docs/extending.md as a reader uses it: its benchmark is installed, run, and reported without being imported."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from tests.conftest import ROOT
from tests.packages import GROUP, install

PAGE = (ROOT / "docs" / "extending.md").read_text()
FILES: dict[str, str] = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', PAGE, re.DOTALL))


def command(module: str, *arguments: str, cwd: Path, packages: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, filter(None, [ROOT, packages])))
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Directory with the page's package, as an installer leaves it; the spec stands in tmp_path."""
    project = tomllib.loads(FILES["pyproject.toml"])
    (module,) = project["tool"]["setuptools"]["py-modules"]
    points = project["project"]["entry-points"][GROUP]
    (tmp_path / "matmul.toml").write_text(FILES["matmul.toml"])
    return install(tmp_path / "packages", project["project"]["name"], module, FILES[f"{module}.py"], points)


def measured(directory: Path) -> list[tuple[int, int, str]]:
    table = ds.dataset(sorted(directory.glob("runs/matmul/matmul/part-*.parquet"))).to_table()
    assert min(table["multiplication_time_s"].to_pylist()) > 0
    return sorted((row["size"], row["iteration"], row["status"]) for row in table.to_pylist())


EVERY_ROW = [(size, iteration, "ok") for size in (128, 256) for iteration in range(5)]


@pytest.mark.slow
def test_the_benchmark_of_the_page_runs_and_its_report_needs_no_import_of_it(tmp_path: Path, packages: Path) -> None:
    answer = command("sweeps.run", "matmul.toml", "--address", "inline", cwd=tmp_path, packages=packages)
    assert answer.returncode == 0, answer.stderr
    assert measured(tmp_path) == EVERY_ROW
    columns = json.loads((tmp_path / "runs/matmul/matmul/_environment.json").read_text())["columns"]
    assert columns["metrics"] == {"multiplication_time_s": "double", "multiplication_flop_per_s": "double"}
    answer = command("analysis.report", "runs/matmul", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    page = (tmp_path / "runs/matmul/report/index.html").read_text()
    for headline in ("multiplication flop (1/s)", "multiplication time ("):
        assert headline in page


@pytest.mark.ray
@pytest.mark.slow
def test_the_benchmark_of_the_page_runs_on_ray(tmp_path: Path, packages: Path) -> None:
    answer = command("sweeps.run", "matmul.toml", cwd=tmp_path, packages=packages)
    assert answer.returncode == 0, answer.stderr
    assert measured(tmp_path) == EVERY_ROW


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_cluster_that_lacks_the_package_says_so(tmp_path: Path, packages: Path) -> None:
    import ray

    address = ray.get_runtime_context().gcs_address  # other Rays may run on this machine
    answer = command("sweeps.run", "matmul.toml", "--address", address, cwd=tmp_path, packages=packages)
    assert answer.returncode == 2, answer.stdout
    assert "the node has no module named 'matmul_benchmark'" in answer.stderr
    assert "Traceback" not in answer.stderr
    (tmp_path / "noop.toml").write_text('name = "n"\n[[sweep]]\nname = "n"\nbenchmark = "noop"\n')
    other = command("sweeps.run", "noop.toml", "--address", address, cwd=tmp_path, packages=packages)
    assert other.returncode == 0, "another benchmark runs there"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("matmul", "matmul_benchmark:Multiply", "cannot be imported (AttributeError: module 'matmul_benchmark'"),
        (
            "matmul",
            "matmul_benchmark:MatmulFactors",
            "is no benchmark: <class 'matmul_benchmark.MatmulFactors'> cannot be made",
        ),
        ("matmul", "matmul_benchmark:measure", "is no benchmark: it lacks columns, factors"),
    ],
)
def test_a_wrong_entry_point_is_one_message_and_exit_code_2(tmp_path: Path, name: str, value: str, reason: str) -> None:
    source = FILES["matmul_benchmark.py"]
    packages = install(tmp_path / "packages", "my-benchmark", "matmul_benchmark", source, {name: value})
    (tmp_path / "it.toml").write_text(f'name = "it"\n[[sweep]]\nname = "s"\nbenchmark = "{name}"\n')
    answer = command("sweeps.run", "it.toml", "--address", "inline", cwd=tmp_path, packages=packages)
    assert answer.returncode == 2, answer.stdout
    (message,) = answer.stderr.strip().split("\n\n")
    told = " ".join(message.split())
    entry_point = f"entry point '{name} = {value}' of package 'my-benchmark': {reason}"
    assert told.startswith(f"error: it.toml: sweep 's', benchmark: '{name}' cannot be used: {entry_point}")
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_the_test_of_the_page_passes(tmp_path: Path, packages: Path) -> None:
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "def test_every" in block]
    (tmp_path / "test_matmul.py").write_text(block)
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "test_matmul.py")
    answer = command("pytest", *options, cwd=tmp_path, packages=packages)
    assert answer.returncode == 0, answer.stdout


def test_every_place_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`((?:sweeps|actors|analysis|models|scoring|tests|docs)/[\w./]+)`", PAGE))
    assert len(names) > 20
    missing = {name for name in names if not (ROOT / name).exists()} - {"actors/benchmarks/matmul.py"}
    assert not missing


@pytest.mark.parametrize(("name", "place"), re.findall(r"`(_?[A-Za-z_]+)`(?: there)? (?:of|in) `([\w/]+\.py)`", PAGE))
def test_every_name_stands_where_the_page_says(name: str, place: str) -> None:
    module = ast.parse((ROOT / place).read_text())
    targets = [target for node in module.body for target in _names(node)]
    assert name in targets


def _names(node: ast.stmt) -> list[str]:
    match node:
        case ast.ClassDef() | ast.FunctionDef():
            return [node.name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []
