"""Meaning of each status of a row, in one line for people."""

from typing import Final

MEANINGS: Final[dict[str, str]] = {
    "ok": "measured",
    "oom_gpu": "ran out of GPU memory",
    "oom_host": "ran out of the host's memory",
    "skipped_oom": "not tried: something smaller had run out of memory there",
    "unsupported": "cannot run on this device, build or model; tried again in another environment",
    "unavailable": "could not be had here and now (no such node, model, or hub); the same command tries it again",
    "timeout": "took longer than a task may",
    "error": "failed with an exception",
    "worker_lost": "its worker died, several times",
}
