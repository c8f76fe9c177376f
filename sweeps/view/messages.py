"""Sentences on a terminal: names are made printable, brackets are no markup, long lines stay whole for logs."""

from rich.console import Console
from rich.text import Text

from sweeps.printable import printable


def say(console: Console, text: str) -> None:
    """Print a sentence as it is, without colours."""
    console.print(printable(text, keep="\n"), highlight=False, markup=False, soft_wrap=True)


def warn(console: Console, text: str) -> None:
    """Print a warning."""
    console.print(Text(printable(f"warning: {text}", keep="\n"), style="yellow"), soft_wrap=True)


def complain(text: str) -> None:
    """Print an error on the standard error."""
    Console(stderr=True).print(Text(printable(f"error: {text}", keep="\n")), soft_wrap=True)
