"""The supervisor with a pool that is only a table: starts, restarts, gives up, always ends."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sweeps.plan.spec import Spec
from sweeps.planning import make_plan
from sweeps.schedule import coordinator as coordinator_module
from sweeps.schedule import supervisor as supervisor_module
from sweeps.schedule import workers as workers_module
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.protocol import WorkerExit
from sweeps.schedule.run_status import Status
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.task import Allocation, Run, Slot
from tests.fakes import REGISTRY, faulty_spec
from tests.sweeps.schedule.test_coordinator import done


class TablePool:
    """Room for `allocations` workers; `fate` says what each does: how many tasks it finishes, then whether it dies."""

    def __init__(self, coordinator: Coordinator, allocations: int, fate: Callable[[int], tuple[int, bool]]) -> None:
        self.coordinator = coordinator
        self.allocations = allocations
        self.fate = fate
        self.started = 0
        self.most = 0
        self.killed: list[str] = []
        self.workers: dict[str, Slot] = {}
        self.impossible: dict[Slot, str] = {}

    def infeasible(self, slot: Slot) -> str | None:
        return self.impossible.get(slot)

    def start(self, slot: Slot) -> bool:
        if len(self.workers) >= self.allocations:
            return False
        self.workers[f"w{self.started}"] = slot
        self.started += 1
        self.most = max(self.most, len(self.workers))
        return True

    def running(self, slot: Slot) -> int:
        return sum(held == slot for held in self.workers.values())

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        tick()
        if not self.workers:
            return []
        name, slot = next(iter(self.workers.items()))
        tasks, dies = self.fate(int(name[1:]))
        if tasks >= 0:
            self.coordinator.join(Allocation(name, slot, "here", "cpu", "a CPU"), {}, "e")
            answer = self.coordinator.exchange(name, [])
            while isinstance(answer, Run) and tasks:
                tasks -= 1
                answer = self.coordinator.exchange(name, list(map(done, answer.leases)))
        del self.workers[name]
        return [WorkerExit(name, slot, "killed" if dies else None)]

    def kill(self, worker_id: str) -> None:
        self.killed.append(worker_id)


def supervise(
    directory: Path,
    spec: Spec,
    allocations: int,
    fate: Callable[[int], tuple[int, bool]],
    interrupts: Interrupts | None = None,
) -> tuple[Status, TablePool]:
    coordinator = Coordinator(make_plan(spec, REGISTRY, directory), REGISTRY, Policy())
    coordinator.open()
    pool = TablePool(coordinator, allocations, fate)
    pool.impossible[Slot("cpu", 0, 64)] = "no node can offer 64 cores"
    Supervisor(coordinator, pool, lambda status: None, interrupts or Interrupts(60.0)).run()
    return coordinator.close(), pool


def test_workers_finish_everything(tmp_path: Path) -> None:
    status, pool = supervise(tmp_path, faulty_spec(index=list(range(20))), 3, lambda _: (1000, False))
    assert status.counts == {"ok": 20}
    assert pool.most == 3


def test_every_status_is_shown_the_last_one_too(tmp_path: Path) -> None:
    shown: list[Status] = []
    coordinator = Coordinator(make_plan(faulty_spec(cpu_cores=[1, 64]), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    pool = TablePool(coordinator, 1, lambda _: (1000, False))
    pool.impossible[Slot("cpu", 0, 64)] = "no node can offer 64 cores"
    Supervisor(coordinator, pool, shown.append, Interrupts(60.0)).run()
    assert shown[0].done == 0
    assert shown[-1].done == 2
    assert shown[-1].warnings == coordinator.close().warnings == ("unavailable: no node can offer 64 cores",)


def test_no_more_workers_than_tasks(tmp_path: Path) -> None:
    _, pool = supervise(tmp_path, faulty_spec(index=[0, 1]), 8, lambda _: (1000, False))
    assert pool.most == 2


def test_a_dead_worker_is_replaced_and_its_task_runs_again(tmp_path: Path) -> None:
    status, pool = supervise(tmp_path, faulty_spec(index=list(range(9))), 1, lambda number: (2, number % 2 == 0))
    assert status.counts == {"ok": 9}
    assert pool.started > 3


def test_workers_that_never_get_started_end_the_run_with_rows(tmp_path: Path) -> None:
    status, pool = supervise(tmp_path, faulty_spec(index=list(range(9))), 1, lambda _: (-1, True))
    assert status.counts == {"worker_lost": 9}
    assert pool.started == 3


def test_a_worker_that_gets_to_a_task_or_leaves_in_good_order_ends_a_row_of_false_starts(tmp_path: Path) -> None:
    """Two false starts, a worker that dies at a task; two, one that leaves after a task; two, and one that works."""
    fates = dict.fromkeys((0, 1, 3, 4, 6, 7), (-1, True)) | {2: (0, True), 5: (1, False)}
    status, pool = supervise(tmp_path, faulty_spec(index=list(range(9))), 1, lambda n: fates.get(n, (1000, False)))
    assert status.counts == {"ok": 9}
    assert pool.started == 9


def test_slots_that_nobody_offers_end_at_once(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0, 1], cpu_cores=[1, 64])
    status, pool = supervise(tmp_path, spec, 1, lambda _: (1000, False))
    assert status.counts == {"ok": 2, "unavailable": 2}
    assert pool.started == 1


def test_asked_to_stop_nobody_waits_for_a_worker_that_has_no_place_yet(tmp_path: Path) -> None:
    class FullPool(TablePool):
        """Workers start and get no place."""

        def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
            interrupts.ask()
            assert interrupts.count < 3
            return []

    interrupts = Interrupts(3600.0)
    coordinator = Coordinator(make_plan(faulty_spec(), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    Supervisor(coordinator, FullPool(coordinator, 1, lambda _: (0, False)), lambda status: None, interrupts).run()
    assert coordinator.close().done == 0
    assert interrupts.count == 1


@dataclass
class Clock:
    """Stands in for the module `time`."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stands = Clock()
    for module in (coordinator_module, supervisor_module, workers_module):
        monkeypatch.setattr(module, "time", stands)
    return stands


class HangingPool(TablePool):
    """Workers take a task and never answer; time goes on by a minute at every look."""

    def __init__(self, coordinator: Coordinator, clock: Clock) -> None:
        super().__init__(coordinator, 1, lambda _: (0, True))
        self.clock = clock
        self.joined: set[str] = set()

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        for name in self.workers.keys() - self.joined:
            self.joined.add(name)
            self.coordinator.join(Allocation(name, self.workers[name], "here", "cpu", "a CPU"), {}, "e")
            self.coordinator.exchange(name, [])
        dead = [WorkerExit(name, self.workers.pop(name), "killed") for name in self.killed if name in self.workers]
        self.clock.now_s += 60.0
        assert self.clock.now_s < 3600.0, "nobody ends this"
        return dead


def test_a_task_that_hangs_is_killed_three_times_and_becomes_a_row(tmp_path: Path, clock: Clock) -> None:
    coordinator = Coordinator(make_plan(faulty_spec(), REGISTRY, tmp_path), REGISTRY, Policy(timeout_s=100.0))
    coordinator.open()
    pool = HangingPool(coordinator, clock)
    Supervisor(coordinator, pool, lambda status: None, Interrupts(60.0)).run()
    status = coordinator.close()
    assert status.counts == {"timeout": 1}
    assert pool.killed == ["w0", "w1", "w2"]
    assert "w0 is gone: over its time limit (--timeout-s)" in status.warnings[0]


def test_asked_to_stop_a_task_in_flight_is_waited_for_as_long_as_the_grace_lasts(tmp_path: Path, clock: Clock) -> None:
    class Asking(HangingPool):
        def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
            dead = super().reap(timeout_s, tick)
            interrupts.ask()
            return dead

    interrupts = Interrupts(grace_s=200.0)
    coordinator = Coordinator(make_plan(faulty_spec(), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    Supervisor(coordinator, Asking(coordinator, clock), lambda status: None, interrupts).run()
    assert clock.now_s == 300.0, "the first look over the grace, counted from the first time that it was asked"
    assert coordinator.close().left == 1


def test_workers_that_are_busy_at_one_slot_are_not_taken_for_those_of_another(tmp_path: Path, clock: Clock) -> None:
    """The worker of the wide slot works, that of the narrow one has no place yet."""

    class HalfFull(HangingPool):
        def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
            self.joined |= {name for name, slot in self.workers.items() if slot.cores == 1}
            return super().reap(timeout_s, tick)

    coordinator = Coordinator(make_plan(faulty_spec(cpu_cores=[1, 2]), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    pool, interrupts = HalfFull(coordinator, clock), Interrupts(300.0)
    pool.allocations = 9
    interrupts.ask()
    interrupts.count = 0  # the clock runs, and nobody asked: the test ends after some looks
    Supervisor(coordinator, pool, lambda status: None, interrupts).run()
    assert pool.started == 2


@pytest.mark.parametrize("status", ["worker_lost", "oom_host"])
def test_the_row_of_a_task_whose_workers_died_says_of_what(status: str, tmp_path: Path) -> None:
    class Dying(TablePool):
        def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
            return [replace(gone, status=status) for gone in super().reap(timeout_s, tick)]

    coordinator = Coordinator(make_plan(faulty_spec(), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    pool = Dying(coordinator, 1, lambda _: (0, True))
    Supervisor(coordinator, pool, lambda status: None, Interrupts(60.0)).run()
    assert coordinator.close().counts == {status: 1}
    assert pool.started == 3


def test_slots_of_all_widths_share_one_place(tmp_path: Path) -> None:
    spec = faulty_spec(index=list(range(4)), cpu_cores=[1, 2, 4])
    status, pool = supervise(tmp_path, spec, 1, lambda _: (1000, False))
    assert status.counts == {"ok": 12}
    assert pool.started == 3, "one worker a slot: each leaves when nothing is left for it"


@pytest.mark.parametrize("after", [1, 2])
def test_an_interrupt_drains(after: int, tmp_path: Path) -> None:
    interrupts = Interrupts(60.0)

    def fate(number: int) -> tuple[int, bool]:
        if number == after - 1:
            interrupts.ask()
        return (1, False)

    status, _ = supervise(tmp_path, faulty_spec(index=list(range(9))), 1, fate, interrupts)
    assert 0 < status.left < 9
    assert status.failure is None
