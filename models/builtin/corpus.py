"""Human prose from the docstrings of installed libraries: the built-in models are trained and tested on it.

Knows nothing of models or tokens. Files are parsed and never imported, so that no library's import side
effects run here. For given installed versions the passages and their order are always the same.
"""

import ast
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SKIPPED_FOLDERS: Final = frozenset(
    {"site-packages", "tests", "test", "testing", "idlelib", "tkinter", "lib2to3", "__pycache__"}
)
MIN_PARAGRAPH_WORDS: Final = 6
MIN_PROSE_CHARACTER_SHARE: Final = 0.93
"""Share of letters, blanks and plain punctuation in prose; tables, formulas and code have less."""

_PROSE_CHARACTER: Final = re.compile(r"[A-Za-z ,.;:'’()\-]")
_NOT_PROSE: Final = re.compile(
    r"^\s*(>>>|\.\.|:\w+|[-*+#|@$]|\d+[.)]|Examples?\b|Args?:|Returns?:|Raises?:|Parameters?\b|Copyright)|"
    r"\\|[{}|=<>]|::|https?:|--|\.\.\.|__|\bTODO\b"
)
_LEADING_CAPITAL: Final = re.compile(r"[A-Z][a-z]*[ ,]")
_ROLE: Final = re.compile(r":[\w:]+:`~?([^`<]+)(?:<[^`>]*>)?`")
_MARKUP: Final = re.compile(r"`+|\*\*|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?]) (?=[A-Z])")


@dataclass(frozen=True)
class Passage:
    """The prose of one docstring."""

    module: str
    """Dotted name, such as `scipy.stats._kde`."""
    subject: str
    """Name of the function or class described; the module's last name for a module docstring."""
    text: str
    """One line, single blanks, whole sentences."""


def passages(sources: tuple[str, ...]) -> list[Passage]:
    """Yield the prose of every docstring under `sources`, each paragraph once, in order of source and path.

    Args:
        sources: `stdlib`, or paths inside site-packages such as `torch/nn`; what is not installed is skipped.
    """
    seen: set[str] = set()
    found: list[Passage] = []
    for source in sources:
        for path, module in _python_files(source):
            for subject, docstring in _docstrings(path):
                paragraphs = [text for text in prose_paragraphs(docstring) if text not in seen]
                seen.update(paragraphs)
                if paragraphs:
                    found.append(Passage(module, subject or module.rpartition(".")[2], " ".join(paragraphs)))
    return found


def prose_paragraphs(docstring: str) -> Iterator[str]:
    """Return the paragraphs of a cleaned docstring that read as sentences, markup stripped, each on one line."""
    for block in re.split(r"\n\s*\n", docstring):
        lines = block.splitlines()
        if any(line.startswith((" ", "\t")) or _NOT_PROSE.search(line) for line in lines):
            continue  # indented lines are parameter descriptions, listings and examples
        text = " ".join(_MARKUP.sub("", _ROLE.sub(r"\1", " ".join(lines))).split())
        if _is_prose(text):
            yield text


def sentences(text: str) -> list[str]:
    """Cut `text` after each full stop that a capital follows."""
    return _SENTENCE_END.split(text)


def _is_prose(text: str) -> bool:
    plain = len(_PROSE_CHARACTER.findall(text))
    return (
        text.isascii()
        and len(text.split()) >= MIN_PARAGRAPH_WORDS
        and text.endswith(".")
        and _LEADING_CAPITAL.match(text) is not None
        and plain >= MIN_PROSE_CHARACTER_SHARE * len(text)
    )


def _python_files(source: str) -> Iterator[tuple[Path, str]]:
    """Yield the files under `source` with their dotted module names, in an order that no file system decides."""
    paths = sysconfig.get_paths()
    base = Path(paths["stdlib"]) if source == "stdlib" else Path(paths["purelib"])
    for folder, subfolders, names in os.walk(base if source == "stdlib" else base / source):
        subfolders[:] = sorted(set(subfolders) - SKIPPED_FOLDERS)
        module = Path(folder).relative_to(base).parts
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix == ".py":
                yield path, ".".join(module if path.stem == "__init__" else (*module, path.stem))


def _docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and cleaned docstring of the module, its classes and functions; nothing of an unreadable file."""
    try:
        source = path.read_text("utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError):
        return
    yield from _docstrings_below(tree, "")


def _docstrings_below(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> Iterator[tuple[str, str]]:
    docstring = ast.get_docstring(node)
    if docstring:
        yield name, docstring
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _docstrings_below(child, f"{name}.{child.name}".lstrip("."))
