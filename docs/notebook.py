"""Run docs/example.ipynb from top to bottom and store its outputs: `python -m docs.notebook`.

The kernel is this interpreter: installed kernels are not asked, and no file is written outside a temporary directory.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

PAGE: Final = Path(__file__).parent / "example.ipynb"
STAMP: Final = "sources_sha256"
"""Key of the notebook's metadata with the digest of the code that the outputs are of."""
CELL_TIMEOUT_S: Final = 500
_METADATA: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""Metadata that are the same on every machine."""


def executed(page: Path, directory: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells. The file is left as it is, and the kernel has ended.

    Args:
        page: the notebook.
        directory: working directory of the kernel, which the cells may write to.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised; the message has its traceback.
    """
    notebook = nbformat.read(page, nbformat.NO_CONVERT)
    for cell in notebook.cells:
        cell.metadata = {}
    with tempfile.TemporaryDirectory() as own:
        kernel = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # none: that leaves ipykernel of this interpreter
            connection_file=str(Path(own) / "kernel.json"),
            transport_encryption="auto",
        )
        client = NotebookClient(
            notebook,
            km=kernel,
            timeout=CELL_TIMEOUT_S,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(directory)}},
        )
        client.execute(cleanup_kc=True, env=os.environ | {"IPYTHONDIR": own, "JUPYTER_CONFIG_DIR": own})
    notebook.metadata = _METADATA | {STAMP: digest(notebook)}
    return notebook


def digest(notebook: nbformat.NotebookNode) -> str:
    """Return the SHA-256 of the code cells, which changes with the code and not with its outputs or the prose."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def main() -> None:
    """Write the notebook with new outputs."""
    with tempfile.TemporaryDirectory() as directory:
        notebook = executed(PAGE, Path(directory))
    nbformat.write(notebook, PAGE)
    print(PAGE, file=sys.stderr)


if __name__ == "__main__":
    main()
