"""A row's environment names the commit of the checkout, and every package that its benchmarks come from."""

import subprocess
from pathlib import Path

import pytest

from actors.devices.nodes import local_node
from actors.probes import environment
from actors.probes.environment import describe
from tests.conftest import ROOT


def test_the_commit_is_that_of_the_checkout() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout: the code was unpacked or installed")
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    content, _ = describe(local_node())
    assert content["commit"] in (head, f"{head}+changes")


def test_a_package_that_offers_benchmarks_is_in_it_by_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version_seen(version: str) -> dict[str, str]:
        info = tmp_path / version / f"my_benchmarks-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my-benchmarks\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("[sweeps.benchmarks]\nmine = mine:Mine\n")
        monkeypatch.syspath_prepend(tmp_path / version)
        environment._versions.cache_clear()
        return environment._versions()

    without = environment._versions()
    assert version_seen("1.0") == without | {"my-benchmarks": "1.0"}
    assert version_seen("2.0")["my-benchmarks"] == "2.0", "the one that is imported: two versions are two environments"
    monkeypatch.undo()
    environment._versions.cache_clear()
