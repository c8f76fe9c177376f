"""docs/example.ipynb runs from top to bottom in a kernel of this interpreter; its stored outputs are of its code."""

import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import v4

from docs.notebook import PAGE, STAMP, digest, executed

MOST_BYTES = 400_000


def outputs_of(notebook: nbformat.NotebookNode) -> dict[str, set[str]]:
    """Kinds of the outputs by cell: names of streams, and the formats of what is shown."""
    kinds = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            kinds[cell.id] = {
                kind for output in cell.outputs for kind in output.get("data", {output.get("name", "error"): ""})
            }
    return kinds


def test_stored_outputs_are_of_the_code_beside_them() -> None:
    notebook = nbformat.read(PAGE, nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.metadata[STAMP] == digest(notebook), "the code changed: run `make notebook`"
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = outputs_of(notebook)
    assert [name for name, shown in kinds.items() if not shown] == ["measure"]
    assert not {"error", "stderr"} & set().union(*kinds.values())
    assert {"text/html", "image/png", "stdout"} <= set().union(*kinds.values())
    assert PAGE.stat().st_size < MOST_BYTES


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute; several where the machine is busy
def test_every_cell_runs_and_shows_what_the_stored_one_shows(tmp_path: Path) -> None:
    stored = PAGE.read_bytes()
    again = executed(PAGE, tmp_path)
    assert outputs_of(again) == outputs_of(nbformat.read(PAGE, nbformat.NO_CONVERT))
    assert PAGE.read_bytes() == stored
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


@pytest.mark.slow
def test_a_cell_that_raises_is_an_error_and_ends_its_kernel_which_is_this_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "jupyter" / "kernels" / "python3"
    installed.mkdir(parents=True)
    (installed / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "other", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    first = "import os, pathlib, sys\npathlib.Path('kernel').write_text(f'{os.getpid()}\\n{sys.executable}')"
    cells = [v4.new_code_cell(first), v4.new_code_cell("1 / 0")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "wrong.ipynb")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(tmp_path / "wrong.ipynb", tmp_path)
    process, interpreter = (tmp_path / "kernel").read_text().splitlines()
    assert interpreter == sys.executable
    assert not psutil.pid_exists(int(process))
