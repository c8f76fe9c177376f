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
        # As the library that reads the options ends, before, in and after our own code.
        ("def f():\n try: ask({0!r})\n except KeyboardInterrupt: sys.exit(1)\ninterrupts.guarded(f)", "stopped\n"),
        ("def f():\n try: ask({0!r})\n except KeyboardInterrupt: sys.exit(130)\ninterrupts.guarded(f)", "stopped\n"),
        # Commands that say what is true of their files.
        ("def f():\n with interrupts.last_line('no file'): ask({0!r})\ninterrupts.guarded(f)", "no file\n"),
        ("def f():\n try: ask({0!r})\n except KeyboardInterrupt: raise interrupts.Stopped\ninterrupts.guarded(f)", ""),
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


@pytest.mark.parametrize("package", ["sweeps.process", "scoring.detection"])
def test_a_module_that_is_stopped_in_code_of_dataclasses_ends_with_130_not_by_the_signal(
    package: str, tmp_path: Path
) -> None:
    beginning = BEGINNING.replace("sweeps.process", package)
    (tmp_path / "work.py").write_text(beginning + "interrupts.guarded(lambda: exec('ask(\"SIGINT\")'))\n")
    answer = subprocess.run(
        [sys.executable, "-m", "work"], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert (answer.returncode, answer.stderr) == (130, "stopped\n")


STOPPED_WITHIN = {
    "sweeps.run": ([], "sweeps.plan.spec_reader.read_spec", "stopped; what is on disk is whole, and the same command"),
    "sweeps.status": (["--watch"], "actors.ray_pool.address.find", "stopped: only this view has ended, no run\n"),
    "analysis.report": (["."], "analysis.run_directories.find_runs", "stopped: no page was written\n"),
    "analysis.thresholds": (["."], "analysis.thresholds.run_fit.fit_run", "stopped: nothing was written\n"),
    "scoring.detect": (["a.txt"], "scoring.detection.inputs.find_files", "stopped: nothing was written\n"),
}
"""Arguments of each command, a function that the command calls, and how its one line begins when it stops there."""


@pytest.mark.parametrize("module", STOPPED_WITHIN)
def test_every_command_that_is_stopped_at_its_work_says_what_is_true_then(module: str, tmp_path: Path) -> None:
    arguments, called, line = STOPPED_WITHIN[module]
    place = called.rpartition(".")[0]
    script = f"""
import os, runpy, signal, sys
import {place}
{called} = lambda *_: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["command", *{arguments!r}]
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert answer.returncode == 130
    (said,) = (answer.stdout + answer.stderr).splitlines(keepends=True)
    assert said.startswith(line)


@pytest.mark.parametrize("package", ["sweeps.process", "scoring.detection"])
def test_the_last_line_never_goes_into_the_answer(package: str, tmp_path: Path) -> None:
    script = BEGINNING.replace("sweeps.process", package) + "interrupts.guarded(lambda: ask('SIGINT'))\n"
    (tmp_path / "work.py").write_text(script)
    answer = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m work 2>&-"], stdout=subprocess.PIPE, timeout=60, check=False, cwd=tmp_path
    )
    assert (answer.returncode, answer.stdout) == (130, b"")


def test_files_that_belong_together_are_written_before_the_command_ends() -> None:
    script = """
def work():
    with interrupts.last_line("stopped: all files are there"), interrupts.delayed():
        ask("SIGINT")
        ask("SIGTERM")
        print("the last file")
interrupts.guarded(work)
"""
    answer = run(script)
    assert (answer.returncode, answer.stdout) == (130, "the last file\n")
    assert answer.stderr == "stopped: all files are there\n"


def test_a_block_that_fails_ends_with_its_own_error_although_it_was_asked() -> None:
    script = """
def work():
    try:
        with interrupts.delayed():
            ask("SIGINT")
            raise OSError("the disk is full")
    except OSError as error:
        sys.exit(f"error: {error}")
interrupts.guarded(work)
"""
    answer = run(script)
    assert (answer.returncode, answer.stderr) == (1, "error: the disk is full\n")


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
