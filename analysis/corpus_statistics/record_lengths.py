"""Lengths of the texts of a record: in words, which blanks divide, and in characters. Holds no text."""

from dataclasses import dataclass
from typing import Final

from scoring.corpora.blanks import script_characters
from scoring.corpora.records import Record
from scoring.corpora.tally import HEAD_CHARACTERS

HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"
UNKNOWN: Final = "unknown"
AUTHORS: Final = (HUMAN, SYNTHETIC, UNKNOWN)
"""Authors in their order in tables. Texts of a corpus without labels are of unknown authors."""


@dataclass(frozen=True)
class TextLength:
    """Length of a text."""

    author: str
    words: int
    characters: int
    lacks_blanks: bool
    """True where the text is in a script without blanks between words, so that `words` means little."""


@dataclass(frozen=True)
class RecordLengths:
    """Lengths of all texts of a record, and the group of the record."""

    dataset: str | None
    generator: str | None
    """Generator of the record's synthetic text; without such a text, the generator that the record names."""
    texts: tuple[TextLength, ...]

    def words_by(self, author: str) -> int:
        """Return the words of all texts of an author."""
        return sum(text.words for text in self.texts if text.author == author)


def measure_record(record: Record) -> RecordLengths:
    """Measure every text of a record that has texts."""
    generators = [text.generator for text in record.texts if text.author == SYNTHETIC]
    generators += [text.generator for text in record.texts]
    texts = tuple(_measure(text.author or UNKNOWN, text.text) for text in record.texts)
    return RecordLengths(record.dataset, generators[0] if generators else None, texts)


def _measure(author: str, text: str) -> TextLength:
    return TextLength(author, len(text.split()), len(text), _lacks_blanks(text))


def _lacks_blanks(text: str) -> bool:
    """Return True by the rule of the corpus' survey: long words of a script without blanks, at the text's beginning."""
    if text.isascii():
        return False
    head = text[:HEAD_CHARACTERS]
    return script_characters(head) > 0
