"""A Ray cluster that is started here or joined, and left or ended on the way out.

Everything that Ray would do by itself and that this project does better is switched off (docs/design.md, 'Why the
protocol is ours').
"""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.job_config import JobConfig

from actors.checks import interpreters
from actors.devices.nodes import local_node
from actors.ray_pool import address as ray_address
from actors.ray_pool import dashboard, gcs_probe, surroundings
from actors.ray_pool import token as ray_token
from actors.ray_pool.address import GcsAddress
from actors.ray_pool.ray_errors import one_line
from sweeps.errors import UserError
from sweeps.process import interrupts

NAMESPACE: Final = "sweeps"
OBJECT_STORE_BYTES: Final = 200 * 2**20
"""Nothing big travels through Ray: rows and tasks only."""
LOCAL_SETTINGS: Final = {
    "RAY_worker_niceness": "0",  # Ray's 15 would make every timing depend on what else the machine does
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a CPU actor must not see the node's GPUs
    "RAY_worker_killing_policy_by_group": "1",  # one worker where memory runs out, and not the coordinator with it
    "RAY_memory_monitor_refresh_ms": "1000",  # at 250 the gigabytes of a killed one still count: the next one goes too
    "RAY_grpc_enable_http_proxy": "0",  # nothing of Ray's goes out of the cluster, which no proxy knows
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # why a worker died is told in a line, not once more as a trace
}


@contextlib.contextmanager
def cluster(address: str) -> Iterator[list[str]]:
    """Ray, started here for `local`, joined for `auto` or HOST:PORT; left or ended on the way out.

    Yields:
        What the user should know of it, a line each.

    Raises:
        UserError: nothing to join there, or it cannot be started; one message, within seconds.
    """
    os.environ |= LOCAL_SETTINGS
    with _started() if address == "local" else _joined(ray_address.find(address)) as context:
        ray_token.protect()
        gcs = ray_address.parse(current_address(), f"--address {address}", "")
        needs_token = os.environ[ray_token.MODE] == ray_token.ON
        dashboard_line = dashboard.line(context.dashboard_url, gcs, ray_token.held_token() if needs_token else None)
        yield [
            f"from another terminal: python -m sweeps.status --watch --address {gcs}",
            *filter(None, [dashboard_line, None if address == "local" else _unused_mask_warning()]),
        ]


@contextlib.contextmanager
def connected(address: str) -> Iterator[str]:
    """A Ray that others started and use, to look at; left on the way out.

    Yields:
        HOST:PORT of it.

    Raises:
        UserError: nothing to look at there.
    """
    gcs = replace(ray_address.find(address), advice="nothing runs now, or it runs elsewhere: give its HOST:PORT")
    with _joined(gcs):
        yield current_address()


def current_address() -> str:
    """HOST:PORT of the Ray that this process is connected to."""
    return str(ray.get_runtime_context().gcs_address)


def is_running() -> bool:
    """Tell whether the Ray that this process is connected to still runs."""
    gcs = ray_address.parse(current_address(), "", "")
    try:
        gcs_probe.check_reachable(gcs.host, gcs.port)
    except gcs_probe.NoRayThere:
        return False
    return True


@contextlib.contextmanager
def _started() -> Iterator[Any]:
    """A Ray of our own on the loopback address; it dies with this process, however that dies."""
    here = local_node()
    mode = ray_token.mode_to_start()
    directory = surroundings.socket_directory()
    os.environ |= surroundings.directory_variables(directory)
    os.environ |= surroundings.proxy_exemptions(())
    logs = f"its logs are in {directory}/ray/session_latest/logs"
    start = functools.partial(
        ray.init,
        address="local",  # else Ray joins one that runs here already, and refuses the rest of these arguments
        num_cpus=len(here.cores),
        num_gpus=len(here.gpus),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        _node_ip_address="127.0.0.1",
    )
    with _connected_ray(start, mode, "--address local: Ray did not start here", logs) as context:
        yield context


@contextlib.contextmanager
def _joined(gcs: GcsAddress) -> Iterator[Any]:
    mode = ray_token.agreed_mode(gcs)
    os.environ |= surroundings.proxy_exemptions([gcs.host, *surroundings.own_addresses()])
    join = functools.partial(ray.init, address=str(gcs))
    with _connected_ray(join, mode, f"{gcs.source}: the Ray there cannot be joined", gcs.advice) as context:
        yield context


@contextlib.contextmanager
def _connected_ray(connect: Callable[..., Any], mode: str, problem: str, advice: str) -> Iterator[Any]:
    users = [name for name in os.environ if name not in (*LOCAL_SETTINGS, ray_token.MODE, surroundings.TMPDIR)]
    os.environ[ray_token.MODE] = mode
    ray._raylet.Config.initialize("")  # reads the mode again
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()
    # Only where our packages are, and not the directory of the command, which Ray would put before all else:
    # a `models.py` there would be taken for ours.
    job = JobConfig(_client_job=True, _py_driver_sys_path=interpreters.own_directories())
    try:
        with interrupts.restored():
            context = connect(job_config=job, namespace=NAMESPACE, log_to_driver=False, logging_level="error")
    except SystemExit as end:  # Ray's way of ending at SIGTERM
        raise KeyboardInterrupt from end
    except (RayError, OSError, RuntimeError, ValueError, ImportError) as error:
        raise UserError(f"{problem} ({one_line(error)}); {advice}{surroundings.ray_variables_note(users)}") from error
    try:
        yield context
    finally:
        ray.shutdown()


def _unused_mask_warning() -> str | None:
    """That a mask of GPUs has no effect here, if there is one; inside a job it is Ray's own."""
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not mask or "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return None
    return f"CUDA_VISIBLE_DEVICES={mask} has no effect here: the GPUs are those that Ray was started with"
