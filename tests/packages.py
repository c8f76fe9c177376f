"""Installed packages made of a few lines: a module, and the metadata with its entry points, in a directory."""

from pathlib import Path

GROUP = "sweeps.benchmarks"


def install(directory: Path, package: str, module: str, source: str, points: dict[str, str]) -> Path:
    """Write what an installer would put into site-packages; return the directory, which is to be on sys.path.

    Args:
        directory: of the packages.
        package: its distribution's name.
        module: its only module.
        source: of that module.
        points: benchmarks by name, each as `module:object`.
    """
    metadata = directory / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
    (directory / f"{module}.py").write_text(source)
    return directory
