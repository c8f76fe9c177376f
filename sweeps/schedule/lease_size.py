"""How much work a worker gets at once: many small tasks, so that the calls of all workers leave the coordinator time.

The fewer calls, the less of the coordinator's core they take; the longer a lease, the more a killed worker loses and
the later its tail ends. docs/scale.md has what came of the figures here.
"""

from typing import Final

LEASE_S: Final = 0.4
"""Small tasks are leased together until about this much work is in a worker's hands; more, where workers are many."""
CALL_S: Final = 0.0021
"""Time of the coordinator that one call of a worker takes, nearly all of it Ray's (docs/scale.md)."""
CALL_SHARE: Final = 0.15
"""Share of a core that the calls of all workers together may take, the work for the tasks themselves aside."""
OVERRUN: Final = 2.0
"""Multiple of the expected time of a lease after which its worker hands in what it has done."""
TAIL: Final = 8
"""Where workers are many, leases shrink at the end of a sweep to this fraction: shorter ones cost too many calls."""
MAX_LEASED: Final = 512


def lease_s(workers: int) -> float:
    """Return the expected seconds of a lease: so long that the calls of all workers together take CALL_SHARE."""
    return max(LEASE_S, workers * CALL_S / CALL_SHARE)


def budget_s(workers: int) -> float:
    """Return the seconds after which a worker hands in what it has done of its lease."""
    return OVERRUN * lease_s(workers)


def most_tasks(task_s: float | None, open_tasks: int, on_slot: int, workers: int) -> int:
    """Return how many tasks last about as long as a lease, and leave the slot's other workers their share.

    Args:
        task_s: expected seconds of a task on that worker; None before its first task.
        open_tasks: tasks of the worker's slot that could be shared: pending ones, and those in its own hands.
        on_slot: workers of that slot.
        workers: all workers of the run.
    """
    if task_s is None:
        return 1
    task_s = max(task_s, 1e-6)
    share = open_tasks // (2 * on_slot)
    at_least = int((lease_s(workers) - LEASE_S) / (TAIL * task_s))
    return max(1, min(MAX_LEASED, max(share, at_least), int(lease_s(workers) / task_s)))
