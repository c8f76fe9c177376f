"""The cluster of one's own boxes: what raylets a box gets, and start_node.sh as real processes with made-up GPUs."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as ds
import pytest
import yaml

from actors.devices.nodes import Gpu, Node, local_node
from actors.devices.raylets import plan
from sweeps.errors import UserError

ROOT = Path(__file__).parent.parent

K80_A = Gpu("GPU-a", "Tesla K80", 12 * 2**30, (3, 7))
K80_B = Gpu("GPU-b", "Tesla K80", 12 * 2**30, (3, 7))
GTX_1070 = Gpu("GPU-c", "NVIDIA GeForce GTX 1070", 8 * 2**30, (6, 1))
BOX_GPUS = (K80_A, GTX_1070, K80_B)
OTHER_GPUS = tuple(replace(gpu, uuid=f"{gpu.uuid}-too") for gpu in BOX_GPUS)


def box(cores: int, gpus: tuple[Gpu, ...] = BOX_GPUS) -> Node:
    return Node("box", "host", "CPU", tuple(range(0, 2 * cores, 2)), gpus)


# --- which raylets a machine gets ---


def test_each_gpu_gets_as_many_cores_and_what_does_not_divide_stays_free() -> None:
    k80, gtx = plan(box(16))
    assert (k80.device_class, k80.gpu_uuids, len(k80.cores)) == ("tesla-k80", ("GPU-a", "GPU-b"), 10)
    assert (gtx.device_class, gtx.gpu_uuids, len(gtx.cores)) == ("gtx-1070", ("GPU-c",), 5)


@pytest.mark.parametrize("wanted", ["", "tesla-k80=8 gtx-1070=4 cpu=4", "all=12 cpu=4", "gtx-1070=16"])
def test_no_core_and_no_gpu_is_in_two_raylets(wanted: str) -> None:
    raylets = plan(box(16), wanted.split())
    cores = [core for raylet in raylets for core in raylet.cores]
    uuids = [uuid for raylet in raylets for uuid in raylet.gpu_uuids]
    assert len(cores) == len(set(cores))
    assert set(cores) <= set(box(16).cores)
    assert len(uuids) == len(set(uuids))


def test_raylets_are_those_asked_for() -> None:
    raylets = plan(box(16), ["gtx-1070=3", "cpu=2"])
    assert [str(raylet) for raylet in raylets] == ["gtx-1070 0,2,4 GPU-c", "cpu 6,8 -"]
    (whole,) = plan(box(16), ["all=16"])
    assert str(whole) == f"all {','.join(map(str, box(16).cores))} GPU-a,GPU-c,GPU-b"


def test_a_machine_without_gpus_is_one_raylet() -> None:
    assert [str(raylet) for raylet in plan(box(2, gpus=()))] == ["cpu 0,2 -"]


def test_fewer_cores_than_gpus_are_shared_by_class() -> None:
    assert [str(raylet) for raylet in plan(box(2))] == ["tesla-k80 0 GPU-a,GPU-b", "gtx-1070 2 GPU-c"]


REFUSED = {
    "fewer cores than classes": (1, "", "too few cores for tesla-k80=1 gtx-1070=1: there are 1 .* all=CORES"),
    "too many cores": (4, "tesla-k80=4 cpu=1", "too few cores for tesla-k80=4 cpu=1: there are 4"),
    "no such class": (4, "rtx-4090=1", "no 'rtx-4090' on this machine; choose of tesla-k80, gtx-1070, cpu, all"),
    "twice": (4, "cpu=1 cpu=1", "'cpu' and 'cpu' would share"),
    "gpus shared": (4, "tesla-k80=1 all=1", "'tesla-k80' and 'all' would share"),
    "no cores": (4, "cpu=0", "'cpu=0' is not CLASS=CORES"),
    "no number": (4, "tesla-k80", "'tesla-k80' is not CLASS=CORES"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_raylets_that_cannot_be_are_refused(mistake: str) -> None:
    cores, wanted, expected = REFUSED[mistake]
    with pytest.raises(UserError, match=expected):
        plan(box(cores), wanted.split())


# --- cluster.yaml ---


def test_cluster_yaml_is_what_ray_accepts() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    written = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    validate_config(prepare_config(written))
    (head,), (worker,) = written["head_start_ray_commands"], written["worker_start_ray_commands"]
    assert "./start_node.sh head --autoscaling-config=~/ray_bootstrap_config.yaml" in head
    assert "./start_node.sh worker $RAY_HEAD_IP" in worker


# --- start_node.sh ---

NVML = """
from types import SimpleNamespace
GPUS = {gpus!r}
class NVMLError(Exception): pass
def nvmlInit(): pass
def nvmlShutdown(): pass
def nvmlDeviceGetCount(): return len(GPUS)
def nvmlDeviceGetHandleByIndex(index): return GPUS[index]
def nvmlDeviceGetUUID(gpu): return gpu[0]
def nvmlDeviceGetName(gpu): return gpu[1]
def nvmlDeviceGetMemoryInfo(gpu): return SimpleNamespace(total=gpu[2], free=gpu[2], used=0)
def nvmlDeviceGetCudaComputeCapability(gpu): return gpu[3]
def nvmlSystemGetDriverVersion(): return "470.0"
"""
SPEC = """
name = "{name}"
[[sweep]]
name = "s"
benchmark = "noop"
iterations = 1
[sweep.factors]
device = {devices}
cpu_cores = [1]
index = [0, 1]
"""
AS_LAUNCHED = {"RAY_enable_autoscaler_v2": "1", "RAY_CLOUD_INSTANCE_ID": "192.0.2.10", "RAY_NODE_TYPE_NAME": "some"}
"""What `ray up` sets: an autoscaler that would end all raylets of a machine but one."""
NODES = """
import json, ray
ray.init(address="auto", log_to_driver=False, logging_level="error")
print(json.dumps([(n["Labels"]["sweeps.io/device-class"], n["Resources"]) for n in ray.nodes() if n["Alive"]]))
"""


@dataclass
class Box:
    """A machine with three made-up GPUs, its own home and its own directory for Ray."""

    home: Path
    gpus: tuple[Gpu, ...] = BOX_GPUS
    ray_directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sw", dir="/tmp")))  # short

    def __post_init__(self) -> None:
        (self.home / "nvml").mkdir(parents=True)
        facts = [(gpu.uuid, gpu.name, gpu.memory_bytes, gpu.compute_capability) for gpu in self.gpus]
        (self.home / "nvml" / "pynvml.py").write_text(NVML.format(gpus=facts))

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SWEEPS_", "CUDA_"))}
        own = {
            "HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(self.home / "nvml"), str(ROOT)]),
            "RAY_TMPDIR": str(self.ray_directory),
            "SWEEPS_PYTHON": sys.executable,
        }
        environment = inherited | own | variables
        return subprocess.run(
            command, cwd=self.home, env=environment, capture_output=True, text=True, timeout=240, check=False
        )

    def start_node(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(str(ROOT / "start_node.sh"), *arguments, **variables)

    def processes(self) -> list[psutil.Process]:
        """Everything that the script started here, and what that started."""
        return [process for process in psutil.process_iter() if _mark(process) == f"{self.ray_directory}/ray"]

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Resources of the live raylets, by class."""
        return dict(json.loads(_succeeded(self.run(sys.executable, "-c", NODES))))


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("SWEEPS_NODE")
    except psutil.Error:
        return None


def _succeeded(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Box]:
    """A box where nothing runs."""
    box = Box(tmp_path / "home")
    yield box
    assert not box.processes()
    shutil.rmtree(box.ray_directory)


@dataclass
class Head:
    box: Box
    port: int
    dashboard_port: int


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """A box whose cluster runs; afterwards, nothing of it is left."""
    if len(local_node().cores) < 2:
        pytest.skip("two classes of GPU need two cores")
    box = Box(tmp_path_factory.mktemp("head") / "home")
    port, dashboard_port, client_port = _free_ports(3)
    try:
        _succeeded(
            box.start_node(
                "head",
                f"--port={port}",
                f"--dashboard-port={dashboard_port}",
                f"--ray-client-server-port={client_port}",
                **AS_LAUNCHED,
            )
        )
        yield Head(box, port, dashboard_port)
    finally:
        _succeeded(box.start_node("stop"))
    assert not box.processes()
    shutil.rmtree(box.ray_directory)


@pytest.mark.ray
@pytest.mark.slow
def test_each_class_is_a_raylet_with_its_own_gpus_cores_and_label(head: Head) -> None:
    expected = plan(Node("", "", "", local_node().cores, BOX_GPUS))
    seen = {label: (node.get("CPU", 0), node.get("GPU", 0)) for label, node in head.box.nodes().items()}
    assert seen == {"head": (0, 0)} | {r.device_class: (len(r.cores), len(r.gpu_uuids)) for r in expected}

    raylets = {
        process.environ()["CUDA_VISIBLE_DEVICES"]: process.cpu_affinity()
        for process in head.box.processes()
        if process.name() == "raylet"
    }
    assert raylets == {"": psutil.Process().cpu_affinity()} | {",".join(r.gpu_uuids): [*r.cores] for r in expected}


@pytest.mark.ray
@pytest.mark.slow
def test_raylets_have_the_settings_of_a_ray_that_a_sweep_starts(head: Head) -> None:
    from actors.ray_pool.cluster import LOCAL_SETTINGS

    # Ray's own settings are in lower case; the others are for drivers, but for that of accelerators.
    expected = {name: value for name, value in LOCAL_SETTINGS.items() if re.match("RAY_([a-z]|ACCEL)", name)}
    assert len(expected) >= 2
    for process in head.box.processes():
        assert process.environ().items() >= expected.items()
        assert not process.environ().keys() & AS_LAUNCHED.keys()


@pytest.mark.ray
@pytest.mark.slow
def test_only_its_user_has_the_token_and_the_dashboard_listens_on_loopback(head: Head) -> None:
    token = head.box.home / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert _succeeded(head.box.start_node("token")).strip() == token.read_text().strip()
    addresses = {
        connection.laddr.ip
        for process in head.box.processes()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == head.dashboard_port
    }
    assert addresses == {"127.0.0.1"}


def sweep(box: Box, name: str, devices: list[str], expected_code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Rows of two no-ops for each device, and what the command said."""
    (box.home / f"{name}.toml").write_text(SPEC.format(name=name, devices=json.dumps(devices)))
    answer = box.run(sys.executable, "-m", "sweeps.run", f"{name}.toml", "--address", "auto")
    assert answer.returncode == expected_code, answer.stdout
    output = answer.stdout
    rows = ds.dataset(sorted(box.home.glob(f"runs/{name}/s/part-*.parquet"))).to_table().to_pylist()
    assert sorted((row["device"], row["index"]) for row in rows) == sorted((d, i) for d in devices for i in range(2))
    return rows, " ".join(output.split())


@pytest.mark.ray
@pytest.mark.slow
def test_one_two_and_no_gpus_share_the_cluster_and_what_it_has_not_is_told(head: Head) -> None:
    rows, output = sweep(head.box, "mini", ["cpu", "k80", "gtx-1070", "gpu", "gpu x2", "gpu x3"], expected_code=1)
    ended = {row["device"]: row["status"] for row in rows}
    assert ended == dict.fromkeys(["cpu", "k80", "gtx-1070", "gpu", "gpu x2"], "ok") | {"gpu x3": "unavailable"}

    allocations = {(row["device"], row["device_class"], row["device_uuid"]) for row in rows if row["status"] == "ok"}
    for device, device_class, uuids in allocations:
        allowed = {
            "cpu": {("cpu", None)},
            "k80": {("tesla-k80", "GPU-a"), ("tesla-k80", "GPU-b")},
            "gtx-1070": {("gtx-1070", "GPU-c")},
            "gpu": {("tesla-k80", "GPU-a"), ("tesla-k80", "GPU-b"), ("gtx-1070", "GPU-c")},
            "gpu x2": {("tesla-k80+tesla-k80", "GPU-a,GPU-b")},
        }
        assert (device_class, uuids) in allowed[device]
    cores = {tuple(row["affinity"]) for row in rows if row["status"] == "ok"}
    assert cores <= {raylet.cores for raylet in plan(Node("", "", "", local_node().cores, BOX_GPUS))}

    (reason,) = {row["error_message"] for row in rows if row["status"] == "unavailable"}
    assert "no node can offer [gpu x3, 1 core]" in reason, "what was asked"
    assert "1 cores, tesla-k80, tesla-k80" in reason, "and what there is"
    assert reason in output, "and the run says it at once"


@pytest.mark.ray
@pytest.mark.slow
def test_a_second_box_joins_with_all_its_gpus_in_one_raylet_and_its_stop_ends_nothing_else(
    head: Head, tmp_path: Path
) -> None:
    before = head.box.nodes()
    second = Box(tmp_path / "home", gpus=OTHER_GPUS)
    (second.home / ".ray").mkdir()
    shutil.copy(head.box.home / ".ray" / "auth_token", second.home / ".ray")
    try:
        _succeeded(second.start_node("worker", f"127.0.0.1:{head.port}", SWEEPS_RAYLETS="all=1"))
        assert set(head.box.nodes()) == {*before, "all"}
        again = second.start_node("worker", f"127.0.0.1:{head.port}")
        assert again.returncode == 2
        assert "runs here already; end it first: ./start_node.sh stop" in again.stderr
        rows, _ = sweep(head.box, "wide", ["gpu x3"])
        allocations = {(row["status"], row["device_class"], row["device_uuid"]) for row in rows}
        assert allocations == {("ok", "tesla-k80+gtx-1070+tesla-k80", "GPU-a-too,GPU-c-too,GPU-b-too")}
        running = control_processes(head.box)
    finally:
        _succeeded(second.start_node("stop"))
    assert not second.processes()
    assert control_processes(head.box) == running
    assert head.box.nodes().keys() == before.keys()
    shutil.rmtree(second.ray_directory)


@pytest.mark.ray
@pytest.mark.slow
def test_another_token_is_one_message_and_starts_nothing(head: Head, tmp_path: Path) -> None:
    second = Box(tmp_path / "a home")
    (second.home / ".ray").mkdir()
    (second.home / ".ray" / "auth_token").write_text("another")
    (second.home / "mini.toml").write_text(SPEC.format(name="mini", devices='["cpu"]'))
    address = f"127.0.0.1:{head.port}"
    started = second.start_node("worker", address)
    joined = second.run(sys.executable, "-m", "sweeps.run", "mini.toml", "--address", address)
    watched = second.run(sys.executable, "-m", "sweeps.status", "--address", address)
    for answer in (started, joined, watched):
        assert answer.returncode == 2, answer.stdout + answer.stderr
        (line,) = answer.stderr.splitlines()
        assert "asks for a token, and another one than this side has in ~/.ray/auth_token; copy the head's" in line
    assert not second.processes()
    shutil.rmtree(second.ray_directory)


def control_processes(box: Box) -> set[int]:
    """Without workers, which Ray starts and ends as it likes."""
    return {process.pid for process in box.processes() if process.name() in ("raylet", "gcs_server")}


def test_a_plan_starts_nothing_and_takes_nothing_of_the_working_directory(idle: Box) -> None:
    for name in ("actors.py", "sweeps.py", "ray.py"):
        (idle.home / name).write_text("raise SystemExit('this directory is not to be imported from')")
    plan = _succeeded(idle.start_node("plan", SWEEPS_RAYLETS="gtx-1070=1"))
    assert plan.split() == ["gtx-1070", str(local_node().cores[0]), "GPU-c"]


@pytest.mark.slow
def test_a_token_is_made_once_and_private(idle: Box) -> None:
    token = idle.home / ".ray" / "auth_token"
    first = _succeeded(idle.start_node("token"))
    assert token.stat().st_mode & 0o777 == 0o600
    token.chmod(0o644)  # as Ray alone would have left it
    assert _succeeded(idle.start_node("token")) == first
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(first.strip()) >= 32


def test_stop_where_nothing_runs_is_no_mistake(idle: Box) -> None:
    _succeeded(idle.start_node("stop"))


WRONG: dict[str, tuple[list[str], dict[str, str], str]] = {
    "no command": ([], {}, "./start_node.sh worker HEAD_IP"),
    "no address": (["worker"], {}, "worker needs the head's address"),
    "no token": (["worker", "127.0.0.1:1"], {}, "no token in"),
    "nobody there": (["worker", "127.0.0.1:1"], {"TOKEN": "secret"}, "nobody listens there: Connection refused"),
    "no port": (["worker", "127.0.0.1:x"], {"TOKEN": "secret"}, "worker 127.0.0.1:x: it is neither"),
    "a long directory": (["head"], {"RAY_TMPDIR": f"/tmp/{'a' * 100}"}, "bytes for Ray"),
    "no such class": (["head"], {"SWEEPS_RAYLETS": "k80=1"}, "no 'k80' on this machine; choose of tesla-k80, gtx-1070"),
    "too few cores": (["head"], {"SWEEPS_RAYLETS": "cpu=4096"}, "too few cores for cpu=4096"),
    "no Ray": (["head"], {"SWEEPS_PYTHON": "/bin/false"}, "/bin/false has no Ray"),
    "an option that Ray does not have": (["head", "--nope"], {"SWEEPS_RAYLETS": "cpu=1"}, "No such option"),
}


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.slow
def test_a_mistake_is_told_and_starts_nothing(mistake: str, idle: Box) -> None:
    arguments, variables, expected = WRONG[mistake]
    if "TOKEN" in variables:
        (idle.home / ".ray").mkdir()
        (idle.home / ".ray" / "auth_token").write_text(variables["TOKEN"])
    answer = idle.start_node(*arguments, **variables)
    assert answer.returncode == (1 if mistake == "an option that Ray does not have" else 2)
    assert expected in answer.stderr
    assert "Traceback" not in answer.stderr
