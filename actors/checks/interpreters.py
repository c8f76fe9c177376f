"""Checks whether workers can start with another interpreter on this machine, by running the interpreter.

Ray notices too late: Ray starts a broken interpreter again and again, and the actor waits for ever. This module imports
no Ray, and runs on the node on which the interpreter would be used.
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
"""Time limit of a check; importing torch from a cold network drive takes a minute."""
NEEDED_MODULES: Final = ("torch", "actors.ray_pool.pool", "actors.benchmarks", "models.load")
"""Modules that a worker imports beside Ray; they import everything else that a worker needs."""
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
    """Versions that both ends of Ray's connections must share."""

    ray: str | None
    """None: Ray cannot be imported."""
    python: str

    def __str__(self) -> str:
        return f"{f'Ray {self.ray}' if self.ray else 'no Ray'} on Python {self.python}"


@dataclass(frozen=True)
class Installed:
    """Versions and modules of an interpreter."""

    versions: Versions
    missing: Mapping[str, str] = field(default_factory=dict)
    """Reasons why modules that workers need cannot be imported, by module name."""


class InterpreterUnusable(Exception):
    """An interpreter does not answer."""


def own_directories() -> list[str]:
    """Return the first entries of the workers' module path: the checkout that this code runs from.

    Empty if this code is installed among other packages, because those belong to this interpreter alone.
    """
    root = Path(__file__).parents[2]
    return [str(root)] if (root / "pyproject.toml").is_file() else []


def check_interpreter(python: str, needed: Versions, directories: Sequence[str]) -> str | None:
    """Return the reason why workers cannot start with an interpreter on this machine; None if they can.

    The check takes as long as the workers' imports.

    Args:
        python: path of the interpreter.
        needed: versions of the driver.
        directories: first entries of the module path of Ray's workers.
    """
    try:
        return mismatch(inspect_interpreter(python, needed, directories), needed)
    except InterpreterUnusable as error:
        return str(error)


def mismatch(installed: Installed, needed: Versions) -> str | None:
    """Return the difference between an interpreter and what Ray and the workers need; None if nothing is missing.

    All processes of a cluster need the same version of Ray, and the same version of Python to the last digit. With
    RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL=minor the same minor version of Python is enough. Ray refuses a driver that
    differs; about a worker it only complains in a log.
    """
    if installed.versions.ray != needed.ray or _python(installed.versions) != _python(needed):
        return f"it has {installed.versions}; needed is {needed}, as the driver has"
    if installed.missing:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in installed.missing.items())
        return f"it has {installed.versions}, but cannot import {reasons}"
    return None


def inspect_interpreter(python: str, needed: Versions, directories: Sequence[str]) -> Installed:
    """Run an interpreter, and read its versions and missing modules from its answer.

    An interpreter with another version of Ray imports nothing else.

    Raises:
        InterpreterUnusable: there is no such file, or it fails or hangs.
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
    """Run a command; return its exit code, output and errors. Processes that the command started end with it."""
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
                os.killpg(process.pid, signal.SIGKILL)  # also ends the processes of a wrapper script
    return process.returncode, output, errors


def _python(versions: Versions) -> list[str]:
    """Return the part of Python's version that has to be equal."""
    is_minor_enough = os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL") == "minor"
    return versions.python.split(".")[: 2 if is_minor_enough else 3]
