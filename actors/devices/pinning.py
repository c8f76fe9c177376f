"""Pins a worker to the cores and GPUs of its allocation, and reports the settings that took effect.

Call `pin` before torch is imported: OpenMP, MKL and Rayon read their thread counts once.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sweeps.task import Allocation

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
USE_RAYON: Final = "TOKENIZERS_PARALLELISM"
"""Many users switch this variable off in their shell, to quiet a warning; then a batch is encoded on one thread."""
ROLL_CALL_TEXTS: Final = 1024
ROLL_CALL_S: Final = 0.5


def pin(allocation: Allocation) -> None:
    """Pin this process to the allocation's cores, give every library that many threads, hide all other GPUs."""
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(allocation.slot.cores))
    os.environ[USE_RAYON] = "true"
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(allocation.device_uuids)
    if allocation.cores:
        _pin_all_threads(allocation.cores)
    if "torch" in sys.modules:  # an inline worker: torch has read its thread count already
        _set_torch_threads(allocation.slot.cores)


@contextlib.contextmanager
def pinned(allocation: Allocation) -> Iterator[None]:
    """Pin this process to an allocation inside the context, and restore the process's settings afterwards."""
    variables = {name: os.environ.get(name) for name in (*THREAD_VARIABLES, USE_RAYON, "CUDA_VISIBLE_DEVICES")}
    cores, threads = affinity(), threads_effective()
    pin(allocation)
    try:
        yield
    finally:
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _pin_all_threads(cores)
        if "torch" in sys.modules:
            _set_torch_threads(threads or len(cores))


def affinity() -> tuple[int, ...]:
    """Return the cores that this process may run on, sorted; empty if the system does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def threads_effective() -> int | None:
    """Return the number of threads that torch computes with; None if this worker has not imported torch."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def rayon_threads() -> int:
    """Return the number of threads on which tokenizers encode a batch in this process, counted by a roll call.

    The first batch of a process builds Rayon's pool with as many threads as RAYON_NUM_THREADS says at that moment. The
    pool keeps this size, whatever the variable says later, and no call returns the size.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Normalizer

    roll_call = _RollCall()
    tokenizer = Tokenizer(WordLevel({"here": 0}))
    tokenizer.normalizer = Normalizer.custom(roll_call)
    tokenizer.encode_batch(["here"] * ROLL_CALL_TEXTS)
    return len(roll_call.present)


class _RollCall:
    """A normalizer in Python, which the pool's threads run: holds each thread until no further thread arrives."""

    def __init__(self) -> None:
        self.present: set[int] = set()
        self._over = False
        self._changed = threading.Condition()

    def normalize(self, _text: Any) -> None:
        """Note the calling thread; tokenizers call this for each text, on the thread that encodes the text."""
        with self._changed:
            self.present.add(threading.get_ident())
            self._changed.notify_all()
            while not self._over:
                seen = len(self.present)
                more = self._changed.wait_for(lambda: self._over or len(self.present) > seen, ROLL_CALL_S)  # noqa: B023
                if not more:
                    self._over = True
                    self._changed.notify_all()


def _pin_all_threads(cores: tuple[int, ...]) -> None:
    """Pin every thread of this process, because threads that exist already keep their own affinity."""
    if not hasattr(os, "sched_setaffinity") or not cores:
        return
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def _set_torch_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
