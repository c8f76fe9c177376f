"""Run the tests in two processes at once: those that need a Ray mostly wait, the others compute.

    python -m tests.in_two_processes [PYTEST OPTION]...

Both end with pytest's own summary; the exit code is the worse of the two.
"""

import subprocess
import sys
import tempfile

PYTEST = (sys.executable, "-m", "pytest")


def main(options: list[str]) -> int:
    """Show one half while it runs, and the other one, whole, behind it."""
    with tempfile.TemporaryFile("w+") as log:
        with_ray = subprocess.Popen([*PYTEST, "-m", "ray", *options], stdout=log, stderr=subprocess.STDOUT)
        try:
            without = subprocess.run([*PYTEST, "-m", "not ray", *options], check=False).returncode
            print("and the tests that need a Ray:", flush=True)
            code = with_ray.wait()
        except KeyboardInterrupt:  # which reached both
            with_ray.wait()
            raise
        finally:
            log.seek(0)
            print(log.read(), flush=True)
    return max(without, code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
