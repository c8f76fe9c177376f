"""Contexts in which this process is connected to a Ray cluster, which is started here or joined.

Ray's own features that this project replaces are switched off (docs/design.md, 'Why the protocol is ours').
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
"""Size of Ray's object store, which holds rows and tasks only."""
LOCAL_SETTINGS: Final = {
    "RAY_worker_niceness": "0",  # with Ray's 15, other work on the machine would slow down what is timed
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a CPU actor must not see the node's GPUs
    "RAY_worker_killing_policy_by_group": "1",  # if memory runs out, kill one worker and not the coordinator too
    "RAY_memory_monitor_refresh_ms": "1000",  # at 250 a killed worker's memory still counts, and the next is killed too
    "RAY_grpc_enable_http_proxy": "0",  # Ray's connections stay in the cluster, which a proxy does not reach
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # a worker's death is reported in one line, without a second trace
}


@contextlib.contextmanager
def cluster(address: str) -> Iterator[list[str]]:
    """Start a Ray for `local`, join a Ray for `auto` or HOST:PORT; end or leave it at the end of the context.

    Yields:
        Lines for the user about the cluster.

    Raises:
        UserError: there is no Ray to join, or Ray cannot be started; raised within seconds.
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
    """Join a Ray only to look at its runs; leave it at the end of the context.

    Yields:
        HOST:PORT of the Ray.

    Raises:
        UserError: there is no Ray to join.
    """
    gcs = replace(ray_address.find(address), advice="nothing runs now, or it runs elsewhere: give its HOST:PORT")
    with _joined(gcs):
        yield current_address()


def current_address() -> str:
    """Return HOST:PORT of the Ray that this process is connected to."""
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
    """Start a Ray on the loopback address; it ends with this process, even if the process is killed."""
    here = local_node()
    mode = ray_token.mode_to_start()
    directory = surroundings.socket_directory()
    os.environ |= surroundings.directory_variables(directory)
    os.environ |= surroundings.proxy_exemptions(())
    logs = f"its logs are in {directory}/ray/session_latest/logs"
    start = functools.partial(
        ray.init,
        address="local",  # otherwise Ray joins a running Ray, and refuses the arguments below
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
    # Workers import from the checkout, and not from the command's working directory, which Ray would put first:
    # a `models.py` there would hide this project's package.
    job = JobConfig(_client_job=True, _py_driver_sys_path=interpreters.own_directories())
    try:
        with interrupts.restored():
            context = connect(job_config=job, namespace=NAMESPACE, log_to_driver=False, logging_level="error")
    except SystemExit as end:  # Ray raises it at SIGTERM
        raise KeyboardInterrupt from end
    except (RayError, OSError, RuntimeError, ValueError, ImportError) as error:
        raise UserError(f"{problem} ({one_line(error)}); {advice}{surroundings.ray_variables_note(users)}") from error
    try:
        yield context
    finally:
        ray.shutdown()


def _unused_mask_warning() -> str | None:
    """Return a warning that CUDA_VISIBLE_DEVICES has no effect; None if it is not set, or if Ray set it for a job."""
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not mask or "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return None
    return f"CUDA_VISIBLE_DEVICES={mask} has no effect here: the GPUs are those that Ray was started with"
