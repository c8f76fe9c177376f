"""`python -m sweeps.run`: the command line, and the only place where everything is wired together."""

from sweeps import interrupts as stopping

if __name__ == "__main__":
    stopping.quit_at_once()

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from actors.benchmarks import BENCHMARKS
from actors.slots import Floor, Node, local_node
from models import embedded
from models.errors import ModelError
from scoring.errors import ScoringError
from sweeps.command import GRACE_S, Command, check_writable, policy
from sweeps.command import machines as machines_of
from sweeps.coordinator import Coordinator
from sweeps.dry_run import print_plan
from sweeps.errors import SweepsError, UserError
from sweeps.history import paces
from sweeps.machines import Machines
from sweeps.plan import Plan
from sweeps.progress import summarize, view
from sweeps.run_directory import LOCK_WAIT_S, is_taken, refuse_rows
from sweeps.schema import FAILED
from sweeps.sink import finished_tasks
from sweeps.spec import Defaults, Spec, read_spec, with_defaults
from sweeps.standing import Status
from sweeps.stored import refuse_changed
from sweeps.supervisor import Interrupts, Supervisor

EXIT_FAILED_TASKS = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = stopping.EXIT_INTERRUPTED
DEFAULT_CORES = 4


def main(
    spec: Annotated[list[str] | None, typer.Argument(help="TOML paths or built-in names")] = None,
    address: Annotated[
        str, typer.Option(help="local starts Ray here, auto joins one, inline needs none, or HOST:PORT")
    ] = "local",
    out: Annotated[Path, typer.Option(help="rows land in OUT/<spec>/<sweep>/part-*.parquet")] = Path("runs"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="<sweep>.<key path>=<TOML value>, repeatable")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    retry: Annotated[list[str] | None, typer.Option(help="run again what ended with this status, repeatable")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="start in an empty directory or fail")] = False,
    isolation: Annotated[str, typer.Option(help="device, or node: one timed task a node at a time")] = "device",
    timeout_s: Annotated[float, typer.Option(help="seconds a task may take")] = 3600.0,
    grace_s: Annotated[float, typer.Option(help="seconds that tasks in flight get after Ctrl-C")] = GRACE_S,
    machines: Annotated[
        Path | None, typer.Option(help="TOML: interpreters by device; left out, machines.toml if it is there")
    ] = None,
) -> None:
    """Sweep benchmarks over models, devices and settings; the same command again carries on."""
    console = Console()
    code = EXIT_INTERRUPTED
    try:
        command = Command(
            specs=tuple(spec or ["quickstart"]),
            address=address,
            out=out,
            overrides=tuple(set_ or ()),
            dry_run=dry_run,
            policy=policy(isolation, timeout_s, retry or [], fresh),
            grace_s=grace_s,
            machines=machines_of(machines, address),
        )
        code = run(command, console)
    except (SweepsError, ModelError, ScoringError) as error:
        Console(stderr=True).print(Text(f"error: {error}"), soft_wrap=True)
        code = EXIT_USER_ERROR if isinstance(error, UserError | ModelError | ScoringError) else EXIT_FAILED_TASKS
    except KeyboardInterrupt:
        console.print("stopped; what is on disk is whole, and the same command carries on")
    raise typer.Exit(code)


def run(command: Command, console: Console) -> int:
    """Read the specs, find the nodes, run one spec after the other; the exit code.

    Raises:
        SweepsError: with a message for the user.
    """
    specs = [_read(source, command) for source in command.specs]
    if not command.dry_run:
        check_writable(command.out)
    with ExitStack() as stack:
        here = command.address in ("local", "inline")
        nodes = [local_node()] if here else _connect(command, console, stack)
        plans = [_plan(spec, nodes, command) for spec in specs]
        _tell_unused(command.machines, nodes, console)
        if command.dry_run:
            never = Floor({node.node_id: node for node in nodes}, command.machines).never
            for plan in plans:
                sweep_directories = [command.out / plan.spec.name / grid.sweep.name for grid in plan.grids]
                print_plan(console, plan, _finished(plan, command.out), never, paces(sweep_directories))
            return 0
        _build_embedded(plans, console)
        if command.address == "local":  # only now: what is wrong with a spec is told before Ray's seconds
            nodes = _connect(command, console, stack)
        command = replace(command, policy=replace(command.policy, ladder=ladder(nodes)))
        return max(_run_spec(plan.spec, command, nodes, console) for plan in plans)


def _plan(spec: Spec, nodes: list[Node], command: Command) -> Plan:
    plan = Plan(with_defaults(spec, _defaults(nodes), BENCHMARKS), BENCHMARKS)
    plan.check()
    if command.policy.fresh:
        refuse_rows(command.out / spec.name)
    refuse_changed(plan, command.out / spec.name, BENCHMARKS)
    return plan


def _build_embedded(plans: list[Plan], console: Console) -> None:
    """Before any clock runs: prompts and `builtin://` models come out of the embedded build."""
    if any(BENCHMARKS[grid.sweep.benchmark].holds != "nothing" for plan in plans for grid in plan.grids):
        embedded.ensure_built(lambda message: console.print(message, highlight=False, soft_wrap=True))


def _read(source: str, command: Command) -> Spec:
    return read_spec(source, command.overrides, BENCHMARKS)


def _connect(command: Command, console: Console, stack: ExitStack) -> list[Node]:
    """Start or join Ray, tell where its dashboard is, and ask its nodes what they have."""
    from actors import ray_pool  # only here: inline runs on machines without Ray

    starting = "starting Ray here" if command.address == "local" else f"joining Ray at {command.address}"
    with console.status(f"{starting} …"):
        lines = stack.enter_context(ray_pool.cluster(command.address))
        nodes = ray_pool.nodes()
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return nodes


def _run_spec(spec: Spec, command: Command, nodes: list[Node], console: Console) -> int:
    started_s = time.monotonic()
    directory = command.out / spec.name
    interrupts = Interrupts(command.grace_s)
    if is_taken(directory):
        console.print(
            f"a run writes in {directory} now; waiting for at most {LOCK_WAIT_S:g} s until it lets go",
            highlight=False,
            soft_wrap=True,
        )
    with ExitStack() as stack:
        if command.address == "inline":
            coordinator, pool = _inline(spec, command, nodes[0], directory)
        else:
            coordinator, pool = _ray(spec, command, nodes, directory, stack)
        stack.enter_context(stopping.counted(interrupts))
        try:
            with view(console, spec.name) as live:
                Supervisor(coordinator, pool, live.show, interrupts).run()
        except KeyboardInterrupt:
            return _stopped(console, coordinator.close(), directory, command)
        status = coordinator.close()
    summarize(console, status, directory, time.monotonic() - started_s)
    if interrupts.count:
        return _stopped(console, status, directory, command)
    return _verdict(status, directory, console)


def _inline(spec: Spec, command: Command, node: Node, directory: Path) -> tuple[Any, Any]:
    from actors.inline_pool import InlinePool

    coordinator = Coordinator(spec, BENCHMARKS, directory, command.policy)
    coordinator.open()
    return coordinator, InlinePool(coordinator, BENCHMARKS, node, command.policy.timeout_s)


def _ray(spec: Spec, command: Command, nodes: list[Node], directory: Path, stack: ExitStack) -> tuple[Any, Any]:
    from actors.ray_pool import RayCoordinator, RayPool

    coordinator = RayCoordinator.start(spec, BENCHMARKS, directory.absolute(), command.policy)
    coordinator.open()
    pool = RayPool(coordinator, BENCHMARKS, nodes, command.machines)
    stack.callback(pool.close)
    return coordinator, pool


def _stopped(console: Console, status: Status, directory: Path, command: Command) -> int:
    console.print(
        f"stopped: {status.done} of {status.total} tasks are on disk in {directory}; to continue:\n  {command.line()}",
        highlight=False,
        soft_wrap=True,
    )
    return EXIT_INTERRUPTED


def _verdict(status: Status, directory: Path, console: Console) -> int:
    if status.failure or status.left:
        reason = status.failure or f"{status.left} tasks have no rows"
        Console(stderr=True).print(Text(f"error: {reason}"), soft_wrap=True)
        return EXIT_FAILED_TASKS
    console.print(f"report: python -m analysis.report {directory}", highlight=False, soft_wrap=True)
    failed = sum(status.counts.get(name, 0) for name in FAILED)
    return EXIT_FAILED_TASKS if failed else 0


def _tell_unused(machines: Machines, nodes: list[Node], console: Console) -> None:
    """An interpreter for a device that is not there is no mistake, nodes may join; a slip of the pen looks the same."""
    known = ["cpu", *dict.fromkeys(gpu.device_class for node in nodes for gpu in node.gpus)]
    for name in machines.unused(known):
        warning = f"warning: {machines.file}: no device is {name!r} so far; there are {', '.join(known)}"
        console.print(Text(warning, style="yellow"), soft_wrap=True)


def _defaults(nodes: list[Node]) -> Defaults:
    """A GPU where there is one; four cores or what the smallest suitable node has."""
    has_gpu = any(node.gpus for node in nodes)
    cores = min((len(node.cores) for node in nodes if node.cores and (node.gpus or not has_gpu)), default=1)
    return Defaults(device="gpu" if has_gpu else "cpu", cpu_cores=min(DEFAULT_CORES, cores))


def ladder(nodes: list[Node]) -> tuple[str, ...]:
    """Device classes of the cluster by memory, the smallest first, and the CPU, which has most, last."""
    memory_bytes = {gpu.device_class: gpu.memory_bytes for node in nodes for gpu in node.gpus}
    return (*sorted(memory_bytes, key=lambda name: memory_bytes[name]), "cpu")


def _finished(plan: Plan, out: Path) -> set[str]:
    """Ids on disk, read without touching anything."""
    done: set[str] = set()
    for grid in plan.grids:
        done |= finished_tasks(out / plan.spec.name / grid.sweep.name, lambda _part, _error: None).keys()
    return done


if __name__ == "__main__":
    stopping.guarded(lambda: typer.run(main))
