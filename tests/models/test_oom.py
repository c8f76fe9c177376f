"""Errors that say that memory ran out, and on which side."""

import subprocess
import sys

import pytest

from models.oom import GPU_OOM_SIGNS, HOST_OOM_SIGNS, is_gpu_oom, is_host_oom, is_oom


@pytest.mark.parametrize("sign", GPU_OOM_SIGNS)
def test_a_gpus_words_are_the_gpus_alone(sign: str) -> None:
    error = RuntimeError(f"Device: {sign.upper()}")
    assert (is_gpu_oom(error), is_host_oom(error), is_oom(error)) == (True, False, True)


@pytest.mark.parametrize("sign", HOST_OOM_SIGNS)
def test_the_hosts_words_are_the_hosts_alone(sign: str) -> None:
    error = OSError(f"Allocator: {sign.upper()}")
    assert (is_gpu_oom(error), is_host_oom(error), is_oom(error)) == (False, True, True)


@pytest.mark.parametrize("error", [ValueError("out of memory"), RuntimeError("illegal memory access"), KeyError("x")])
def test_other_errors_are_neither(error: Exception) -> None:
    assert not is_oom(error)


def test_the_words_come_without_torch() -> None:
    code = "import sys, models.oom; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
