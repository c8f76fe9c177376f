"""`python -m sweeps.run`: the command line, and the only module that wires everything together."""

from sweeps.process import interrupts as stopping

if __name__ == "__main__":
    stopping.quit_at_once()

from sweeps.process import import_order, terminal

if __name__ == "__main__":
    import_order.ours_first()

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from actors.benchmarks import find_benchmarks
from actors.benchmarks.base import Benchmark
from actors.devices.allocator import Allocator
from actors.devices.nodes import Node, local_node
from actors.devices.offers import default_levels, device_classes, devices_by_memory
from actors.probes import environment
from models.builtin.cache import ensure_built
from models.errors import ModelError
from scoring.errors import ScoringError
from sweeps.command import (
    GRACE_S,
    Command,
    check_writable,
    expand_home,
    load_machines,
    parse_grace_s,
    parse_policy,
)
from sweeps.errors import SweepsError, UserError
from sweeps.plan.grid import Plan
from sweeps.plan.rehearsal import rehearsed
from sweeps.plan.spec import Spec
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.planning import Prepared, prepare
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.protocol import CoordinatorApi, Pool
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.store.finished import Again
from sweeps.store.history import slot_timings
from sweeps.store.run_directory import refuse_rows, wait_until_free
from sweeps.view.dry_run import print_plan
from sweeps.view.ending import EXIT_FAILED_TASKS, print_nothing_to_run, print_stopped, print_verdict
from sweeps.view.explain import print_explanation, refuse_other_arguments
from sweeps.view.messages import complain, say
from sweeps.view.notices import (
    print_inputs,
    print_rehearsal,
    warn_of_failures,
    warn_of_unusable_benchmarks,
    warn_of_unused_interpreters,
)
from sweeps.view.progress import summarize, view, waiting

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = stopping.EXIT_INTERRUPTED
Benchmarks = Mapping[str, Benchmark]


def main(
    context: typer.Context,
    spec: Annotated[list[str] | None, typer.Argument(help="TOML paths or built-in names")] = None,
    address: Annotated[
        str, typer.Option(help="local starts Ray here, auto joins one, inline needs none, or HOST:PORT")
    ] = "local",
    out: Annotated[Path, typer.Option(help="rows land in OUT/<spec>/<sweep>/part-*.parquet")] = Path("runs"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="<sweep>.<key path>=<TOML value>, repeatable")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="the same on what is here, in minutes: built-in models, cpu, few levels; see the plan"
        ),
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="print a benchmark's factors and metrics, or for 'spec' the keys of a spec, and stop"
        ),
    ] = None,
    retry: Annotated[list[str] | None, typer.Option(help="run again what ended with this status, repeatable")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="start in an empty directory or fail")] = False,
    isolation: Annotated[str, typer.Option(help="device, or node: one timed task a node at a time")] = "device",
    timeout_s: Annotated[float, typer.Option(help="seconds a task may take")] = 3600.0,
    grace_s: Annotated[float, typer.Option(help="seconds that tasks in flight get after Ctrl-C")] = GRACE_S,
    machines: Annotated[
        Path | None, typer.Option(help="TOML: interpreters by device; left out, machines.toml if it is there")
    ] = None,
) -> None:
    """Sweep benchmarks over models, devices and settings; the same command again continues."""
    terminal.print_anything()
    console = Console()
    code = EXIT_INTERRUPTED
    try:
        if explain is not None:
            refuse_other_arguments(context)
            print_explanation(console, explain, find_benchmarks())
            raise typer.Exit
        command = Command(
            specs=tuple(spec or ["quickstart"]),
            address=address,
            out=expand_home(out),
            overrides=tuple(set_ or ()),
            dry_run=dry_run,
            rehearse=rehearse,
            policy=parse_policy(isolation, timeout_s, retry or [], fresh),
            grace_s=parse_grace_s(grace_s),
            machines=load_machines(machines and expand_home(machines), address),
        )
        code = run(command, console)
    except (SweepsError, ModelError, ScoringError) as error:
        complain(str(error))
        code = EXIT_USER_ERROR if isinstance(error, UserError | ModelError | ScoringError) else EXIT_FAILED_TASKS
    except KeyboardInterrupt:
        console.print("stopped; what is on disk is whole, and the same command continues")
    except OSError as error:
        terminal.give_up(error)
        code = EXIT_FAILED_TASKS
    if code == EXIT_INTERRUPTED:
        raise stopping.Stopped
    raise typer.Exit(code)


def run(command: Command, console: Console) -> int:
    """Read the specs, find the nodes, plan, run one spec after the other; return the exit code.

    Raises:
        SweepsError: with a message for the user.
    """
    benchmarks = find_benchmarks()
    specs = [_read(source, benchmarks, command, console) for source in command.specs]
    warn_of_unusable_benchmarks(console, benchmarks)
    _refuse_one_name(specs)
    if not command.dry_run:
        check_writable(command.out)
        for spec in specs:
            wait_until_free(command.out / spec.name, partial(say, console))
    with ExitStack() as stack:
        here = command.address in ("local", "inline")
        nodes = [_described(local_node())] if here else []
        if not here and (command.dry_run or not all(map(_spells_out_slots, specs))):
            nodes = _connect(command, console, stack)
        prepared = [_prepare(spec, benchmarks, nodes, command, console) for spec in specs]
        for one in prepared:
            print_inputs(console, one.plan)
            warn_of_failures(console, one.plan.directory, one.finished, command.policy.again.statuses)
        if command.dry_run:
            warn_of_unused_interpreters(console, command.machines, device_classes(nodes))
            infeasible = Allocator({node.node_id: node for node in nodes}, command.machines).infeasible
            for one in prepared:
                sweep_directories = [one.plan.directory / grid.sweep.name for grid in one.plan.grids]
                print_plan(console, one.plan, one.finished.statuses, infeasible, slot_timings(sweep_directories))
            return 0
        if all(one.is_finished for one in prepared) and (here or not any(map(_has_unsupported, prepared))):
            return max(print_nothing_to_run(console, one.plan, one.finished) for one in prepared)
        _build_builtin([one.plan for one in prepared], benchmarks, console)
        if command.address == "local" or not nodes:  # only now: mistakes are reported before Ray starts
            nodes = _connect(command, console, stack)
        warn_of_unused_interpreters(console, command.machines, device_classes(nodes))
        command = replace(command, policy=replace(command.policy, again=_again(nodes, command)))
        return max(
            _run_spec(one.plan, benchmarks, _naming_itself(command, source), nodes, console)
            for source, one in zip(command.specs, prepared, strict=True)
        )


def _read(source: str, benchmarks: Benchmarks, command: Command, console: Console) -> Spec:
    """Read a spec; for a rehearsal, cut it down and print what is not as the spec says."""
    spec = read_spec(source, command.overrides, benchmarks)
    if not command.rehearse:
        return spec
    rehearsal = rehearsed(spec, benchmarks, len(local_node().cores))
    print_rehearsal(console, spec, rehearsal)
    return rehearsal


def _prepare(spec: Spec, benchmarks: Benchmarks, nodes: list[Node], command: Command, console: Console) -> Prepared:
    directory = command.out / spec.name
    if command.policy.fresh:
        refuse_rows(directory)
    complete = with_defaults(spec, default_levels(nodes), benchmarks)
    with waiting(console, f"planning {spec.name}") as progress:
        return prepare(complete, benchmarks, directory, _again(nodes, command), progress)


def _again(nodes: list[Node], command: Command) -> Again:
    """Return the rules for which finished tasks run again on those nodes."""
    known = () if command.machines.pythons else nodes  # only its workers know another interpreter's environment
    environments = frozenset(node.environment_id for node in known if node.environment_id)
    return replace(command.policy.again, environments=environments)


def _naming_itself(command: Command, source: str) -> Command:
    """Return the command with the line that the files of one spec's run name: without the other specs."""
    line = replace(command, specs=(source,)).line_anywhere()
    return replace(command, policy=replace(command.policy, command=line))


def _refuse_one_name(specs: list[Spec]) -> None:
    """Refuse two specs that would share a directory, before the first of them has run for hours."""
    names = [spec.name for spec in specs]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"two of the specs are named {twice[0]!r}, and would share a directory; rename one, or run one")


def _spells_out_slots(spec: Spec) -> bool:
    """Tell whether a spec names device and cores of every sweep, so that its plan does not depend on the cluster."""
    return all({"device", "cpu_cores"} <= sweep.factors.keys() for sweep in spec.sweep)


def _has_unsupported(one: Prepared) -> bool:
    return "unsupported" in one.finished.statuses.values()


def _described(node: Node) -> Node:
    return replace(node, environment_id=environment.describe(node)[1])


def _build_builtin(plans: list[Plan], benchmarks: Benchmarks, console: Console) -> None:
    """Build the prompts and models of `builtin://` before any clock runs, where a benchmark may read them."""
    if any(benchmarks[grid.sweep.benchmark].reads_builtin for plan in plans for grid in plan.grids):
        ensure_built(lambda message: say(console, message))


def _connect(command: Command, console: Console, stack: ExitStack) -> list[Node]:
    """Start or join Ray, print the address of its dashboard, and ask its nodes for their devices."""
    from actors.ray_pool.cluster import cluster
    from actors.ray_pool.nodes import cluster_nodes  # only here: inline runs on machines without Ray

    starting = "starting Ray here" if command.address == "local" else f"joining Ray at {command.address}"
    with console.status(f"{starting} …"):
        lines = stack.enter_context(cluster(command.address))
        nodes = cluster_nodes()
    for line in lines:
        say(console, line)
    return nodes


def _run_spec(plan: Plan, benchmarks: Benchmarks, command: Command, nodes: list[Node], console: Console) -> int:
    started_s = time.monotonic()
    directory = command.out / plan.spec.name
    interrupts = Interrupts(command.grace_s)
    with ExitStack() as stack:
        if command.address == "inline":
            coordinator, pool = _inline(plan, benchmarks, command, nodes[0])
        else:
            coordinator, pool = _ray(plan, benchmarks, command, nodes, stack)
        stack.enter_context(stopping.counted(interrupts))
        try:
            with view(console, plan.spec.name) as live:
                Supervisor(coordinator, pool, live.show, interrupts).run()
        except KeyboardInterrupt:
            return print_stopped(console, coordinator.close(), directory, command.line())
        except (OSError, SystemExit):  # the output is gone; the rows must not be lost with it
            coordinator.close()
            raise
        status = coordinator.close()
    summarize(console, status, directory, time.monotonic() - started_s)
    if interrupts.count:
        return print_stopped(console, status, directory, command.line())
    return print_verdict(console, status, directory)


def _inline(plan: Plan, benchmarks: Benchmarks, command: Command, node: Node) -> tuple[CoordinatorApi, Pool]:
    from actors.inline_pool import InlinePool

    coordinator = Coordinator(plan, benchmarks, command.policy, devices_by_memory([node]))
    coordinator.open()
    return coordinator, InlinePool(coordinator, benchmarks, node, command.policy.timeout_s)


def _ray(
    plan: Plan, benchmarks: Benchmarks, command: Command, nodes: list[Node], stack: ExitStack
) -> tuple[CoordinatorApi, Pool]:
    from actors.ray_pool.client import RayCoordinator
    from actors.ray_pool.pool import RayPool

    used = {grid.sweep.benchmark: benchmarks[grid.sweep.benchmark] for grid in plan.grids}  # a node may lack the others
    coordinator = RayCoordinator.start(plan, used, command.policy, devices_by_memory(nodes))
    coordinator.open()
    pool = RayPool(coordinator, used, nodes, command.machines)
    stack.callback(pool.close)
    return coordinator, pool


if __name__ == "__main__":
    stopping.guarded(lambda: typer.run(main))
