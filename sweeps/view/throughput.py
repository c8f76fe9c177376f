"""Progress of a run in words: rows, rate, time left, failures. Reads Status objects only."""

from sweeps.printable import printable
from sweeps.schedule.run_status import Status
from sweeps.task_status import FAILURES
from sweeps.wording import counted


def headline(title: str, status: Status) -> str:
    """Return the progress of a run in one line."""
    return f"{printable(title)}: {status.done}/{counted(status.total, 'task')}, {throughput_line(status)}"


def throughput_line(status: Status) -> str:
    """Return rows, rate, time left and failures in a few words."""
    return ", ".join(throughput_words(status))


def throughput_words(status: Status) -> list[str]:
    """Return rows, rate, time left and failures one by one; the rate is that of this session."""
    elapsed_s = max(status.elapsed_s, 1e-9)
    done_now = status.done - status.done_before - status.untried
    per_s = done_now / elapsed_s
    words = [counted(status.rows, "row")]
    if done_now > 0:
        words.append(f"{per_s:.1f} tasks/s" if per_s >= 1 else f"{per_s * 60:.1f} tasks/min")
        words.append(f"about {duration(status.left / per_s)} left" if status.left else duration(elapsed_s))
    else:
        words.append(_why_no_estimate(status))
    failed = sum(count for name, count in status.counts.items() if name in FAILURES)
    if failed:
        words.append(f"{failed} failed")
    return words


def duration(seconds: float) -> str:
    """Return a duration as `42 s`, `3 min 5 s` or `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def sweep_counts(status: Status) -> list[str]:
    """Return `logits 6/20 (1 failed)` for every sweep, where there are several."""
    if len(status.sweeps) < 2:
        return []
    return [
        f"{printable(sweep.name)} {sweep.done}/{sweep.total}" + (f" ({sweep.failed} failed)" if sweep.failed else "")
        for sweep in status.sweeps
    ]


def _why_no_estimate(status: Status) -> str:
    """Say what the run waits for before its first task is done."""
    return "no estimate yet" if status.workers else status.waiting_for or "starting workers"
