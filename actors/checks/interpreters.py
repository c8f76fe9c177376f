"""Whether workers can start with another interpreter on this machine, found out by running it.

Ray itself finds out too late: it starts a broken interpreter again and again, and the actor waits for ever. Knows no
Ray; runs on the node that the interpreter is for.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CHECK_TIMEOUT_S: Final = 180.0
"""Importing torch from a cold network drive takes a minute."""
NEEDED_MODULES: Final = ("torch", "actors.ray_pool.pool", "actors.benchmarks", "models.load")
"""What a worker imports beside Ray, and with it everything that this imports."""
_SCRIPT: Final = """
import importlib, json, platform, sys
installed = {"python": platform.python_version(), "ray": None, "missing": {}}
right_ray, *names = sys.argv[1:]

def load(name):
    try:
        return importlib.import_module(name)
    except BaseException as error:
        installed["missing"][name] = f"{type(error).__name__}: {error}"

installed["ray"] = getattr(load("ray"), "__version__", None)
if installed["ray"] == right_ray:
    for name in names:
        load(name)
print()
print(json.dumps(installed))
"""


@dataclass(frozen=True)
class Versions:
    """What both ends of Ray's connections must agree on."""

    ray: str | None
    """None: it does not import."""
    python: str

    def __str__(self) -> str:
        return f"{f'Ray {self.ray}' if self.ray else 'no Ray'} on Python {self.python}"


@dataclass(frozen=True)
class Installed:
    """What an interpreter has."""

    versions: Versions
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a module that workers need does not import, by its name."""


class InterpreterUnusable(Exception):
    """The interpreter does not even answer."""


def own_directories() -> list[str]:
    """What workers get before all else on their module path: the checkout that this code runs from.

    Nothing where it is installed among other packages, which are those of this interpreter only.
    """
    root = Path(__file__).parents[2]
    return [str(root)] if (root / "pyproject.toml").is_file() else []


def check_interpreter(python: str, needed: Versions, directories: Sequence[str]) -> str | None:
    """Why workers cannot start with an interpreter on this machine; None if they can. Takes as long as its imports.

    Args:
        python: its path.
        needed: versions of the driver.
        directories: what Ray puts first on its workers' module path.
    """
    try:
        return mismatch(inspect_interpreter(python, needed, directories), needed)
    except InterpreterUnusable as error:
        return str(error)


def mismatch(installed: Installed, needed: Versions) -> str | None:
    """Where an interpreter differs from what Ray and the workers need; None: nowhere that matters.

    Ray wants its own version everywhere, and that of Python to the last digit, as it does of drivers (there it refuses,
    of workers it complains in a log): to the minor one only where RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL=minor says so.
    """
    if installed.versions.ray != needed.ray or _python(installed.versions) != _python(needed):
        return f"it has {installed.versions}; needed is {needed}, as the driver has"
    if installed.missing:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in installed.missing.items())
        return f"it has {installed.versions}, but cannot import {reasons}"
    return None


def inspect_interpreter(python: str, needed: Versions, directories: Sequence[str]) -> Installed:
    """Run an interpreter and let it tell what it has; with another Ray, nothing else is imported.

    Raises:
        InterpreterUnusable: there is none, or it fails or hangs.
    """
    if not Path(python).is_file():
        raise InterpreterUnusable("there is no such file")
    search_path = os.pathsep.join(filter(None, [*directories, os.environ.get("PYTHONPATH")]))
    command = [python, "-c", _SCRIPT, str(needed.ray), *NEEDED_MODULES]
    code, output, errors = _run(command, os.environ | {"PYTHONPATH": search_path})
    try:
        report = json.loads(output.strip().splitlines()[-1])
        return Installed(Versions(report["ray"], report["python"]), report["missing"])
    except (ValueError, LookupError, TypeError) as error:
        last_words = (errors or output).strip().splitlines()[-1:] or ["nothing"]
        raise InterpreterUnusable(
            f"it is no Python that works: exit code {code}, and said {last_words[0][:300]!r}"
        ) from error


def _run(command: list[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code, output and errors; whatever the command started ends with it."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise InterpreterUnusable(f"it cannot be started: {error.strerror}") from error
    with process:
        try:
            output, errors = process.communicate(timeout=CHECK_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise InterpreterUnusable(f"it did not answer within {CHECK_TIMEOUT_S:g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what a wrapper script started
    return process.returncode, output, errors


def _python(versions: Versions) -> list[str]:
    """The part of Python's version that has to be equal."""
    is_minor_enough = os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL") == "minor"
    return versions.python.split(".")[: 2 if is_minor_enough else 3]
