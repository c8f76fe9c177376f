"""Run the tests in two processes at once, lot by lot: a process that has ended a lot takes the next one.

    python -m tests.in_two_processes [PYTEST OPTION]...

The second process begins with the tests that need a Ray: they mostly wait, while the others compute. Every lot ends
with pytest's own summary; the exit code is the worst of all.
"""

import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import IO

PYTEST = (sys.executable, "-m", "pytest")
RAY = ("-m", "ray")
FOLDERS = (("tests/analysis",), ("tests/models", "tests/scoring"), ("tests/actors",))
# The lots without a Ray, the longest first: the first lot holds all folders that the others do not name.
WITHOUT_RAY = (
    ("-m", "not ray", *(f"--ignore={folder}" for folders in FOLDERS for folder in folders)),
    *(("-m", "not ray", *folders) for folders in FOLDERS),
)


def main(options: list[str]) -> int:
    """Show the lots of the first process while they run, and those of the second process, whole, behind them."""
    pending, codes = deque(WITHOUT_RAY), []

    def run(lot: tuple[str, ...], log: IO[str] | None = None) -> None:
        print("\npytest", *lot, file=log, flush=True)
        codes.append(subprocess.run([*PYTEST, *lot, *options], stdout=log, stderr=log, check=False).returncode)

    def run_pending(log: IO[str] | None = None) -> None:
        while pending:
            run(pending.popleft(), log)

    def run_ray_first(log: IO[str]) -> None:
        run(RAY, log)
        run_pending(log)

    with tempfile.TemporaryFile("w+") as log:
        try:
            with ThreadPoolExecutor(1) as second:
                ended = second.submit(run_ray_first, log)
                try:
                    run_pending()
                finally:
                    pending.clear()  # Ctrl-C reaches the tests of both processes; no other lot may begin
        finally:
            log.seek(0)
            print("\nand in the second process:", log.read(), sep="\n", flush=True)
    ended.result()
    return max(codes, key=abs)  # negative where a signal killed the tests


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
