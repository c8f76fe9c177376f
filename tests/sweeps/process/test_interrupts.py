"""Commands that are asked to stop, each in a process of its own: their last line and exit code."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BEGINNING = """
import os, signal, sys
from sweeps.process import interrupts

def ask(name):
    os.kill(os.getpid(), getattr(signal, name))

class Counter:
    count = 0
    def ask(self):
        self.count += 1
"""


def run(script: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BEGINNING + script], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("interrupts.quit_at_once(); ask({0!r}); import torch", "stopped before anything was started\n"),
        ("interrupts.guarded(lambda: ask({0!r}))", "stopped\n"),
        # As the library that reads the options ends, and our own code.
        ("def f():\n try: ask({0!r})\n except KeyboardInterrupt: sys.exit(1)\ninterrupts.guarded(f)", ""),
        ("def f():\n try: ask({0!r})\n except KeyboardInterrupt: sys.exit(130)\ninterrupts.guarded(f)", ""),
    ],
)
def test_whenever_it_is_asked_it_ends_with_130_and_at_most_a_line(name: str, script: str, expected: str) -> None:
    answer = run(script.format(name))
    assert (answer.returncode, answer.stderr, answer.stdout) == (130, expected, "")


@pytest.mark.parametrize(
    "module", ["sweeps.run", "sweeps.status", "analysis.report", "analysis.thresholds", "scoring.detect"]
)
def test_every_command_that_is_stopped_while_it_imports_says_one_line(module: str, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    root = Path(__file__).resolve().parents[3]
    answer = subprocess.run(
        [sys.executable, "-m", module],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path.parent,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, "", "stopped before anything was started\n")


@pytest.mark.parametrize(("end", "code"), [("sys.exit(2)", 2), ("sys.exit(0)", 0), ("None", 0)])
def test_who_is_not_asked_ends_as_ever_and_the_end_is_not_disturbed(end: str, code: int) -> None:
    answer = run(f"import atexit; atexit.register(lambda: ask('SIGINT')); interrupts.guarded(lambda: {end})")
    assert (answer.returncode, answer.stderr) == (code, "")


def test_once_counts_and_twice_insists() -> None:
    script = """
counter = Counter()
def work():
    with interrupts.counted(counter):
        ask("SIGTERM")
        print("goes on", counter.count)
        ask("SIGHUP")
interrupts.guarded(work)
"""
    answer = run(script)
    assert (answer.returncode, answer.stdout) == (130, "goes on 1\n")


def test_handlers_of_others_do_not_stay() -> None:
    script = """
def work():
    with interrupts.restored():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    ask("SIGTERM")
interrupts.guarded(work)
"""
    assert run(script).returncode == 130


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_what_the_caller_has_ignored_stays_ignored(name: str) -> None:
    number = getattr(signal, name)
    script = f"interrupts.quit_at_once(); interrupts.guarded(lambda: (ask({name!r}), print('goes on')))"
    answer = run(script, preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    assert (answer.returncode, answer.stdout) == (0, "goes on\n")


def test_a_closed_terminal_is_not_written_to(tmp_path: Path) -> None:
    script = f"""
def work():
    with interrupts.counted(Counter()):
        print("there", flush=True)
        open({str(tmp_path / "wrote")!r}, "w").close()
        while not os.path.exists({str(tmp_path / "closed")!r}): pass
        ask("SIGHUP")
        print("nobody reads this", flush=True)
        open({str(tmp_path / "done")!r}, "w").close()
interrupts.guarded(work)
"""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", BEGINNING + script], stdout=theirs, stderr=theirs)
    os.close(theirs)
    while not (tmp_path / "wrote").exists():
        pass
    os.close(ours)
    (tmp_path / "closed").touch()
    assert process.wait(60) == 0
    assert (tmp_path / "done").exists()
