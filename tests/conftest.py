"""One small Ray cluster for the whole session, and what every test may rely on."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# Ray's workers and the commands that tests start must find tests/fakes.py.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Threads of torch that wait sleep; else they take CPU time from the tests of the other process.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A shell starts what it runs in the background with Ctrl-C ignored, and every command that a test starts and
# interrupts would inherit that: it would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # the same below nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No deadline: how long an example takes says only how busy the machine is.
settings.register_profile("short", deadline=None, max_examples=40, print_blob=True)
settings.register_profile("fuzz", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """Four logical cores, no dashboard: enough for everything that needs Ray."""
    import ray

    from actors.ray_pool.cluster import LOCAL_SETTINGS, NAMESPACE

    os.environ |= LOCAL_SETTINGS
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        _node_ip_address="127.0.0.1",
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level="error",
    )
    yield
    ray.shutdown()


@pytest.fixture
def python() -> str:
    """This interpreter, for tests that start the real command."""
    return sys.executable


def pytest_collection_finish() -> None:
    """Let torch compute on one thread, where a test imported it.

    Tensors this small wait for a second thread longer than they compute: searches took twice the CPU time for it.
    Workers and commands are not concerned: they take as many threads as their slot has cores.
    """
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


class Unfreeze:
    """gc.unfreeze, which notes that it was called: counting the frozen objects takes longer than most tests."""

    def __init__(self) -> None:
        self.was_called = True
        self._unfreeze = gc.unfreeze

    def __call__(self) -> None:
        self.was_called = True
        self._unfreeze()


unfreeze = gc.unfreeze = Unfreeze()


def pytest_runtest_setup() -> None:
    """Freeze imported objects before the first test, and again after a worker that unfroze them with its model.

    Otherwise each of the many collections that loads and measurements ask for searches all of torch and transformers.
    """
    if unfreeze.was_called:
        unfreeze.was_called = False
        gc.freeze()
