"""A row's environment names the commit of the checkout that measured the row."""

import subprocess

import pytest

from actors.devices.nodes import local_node
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
