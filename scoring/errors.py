"""Errors of scoring. Each message says what was seen, what is allowed, and what to do.

ScoringError
├── CorpusError (ValueError)      a corpus cannot be read as its settings say; found before any text is scored
│   ├── CorpusChanged            rows differ from those that were planned, or scored earlier
│   └── CorpusUnavailable (OSError)  a dataset of the Hub is not reached from this machine now; a retry may reach it
├── ArgumentError (ValueError)    an argument of `Binoculars` has a value that is not allowed
├── IncompatiblePair (ValueError) observer and performer do not share one tokenizer
└── CalibrationError (ValueError) a calibration file is broken, or made for other settings

No class takes constructor parameters of its own, so all of them can be pickled. A fragment that cannot be scored raises
nothing: its result has a `null_reason`.
"""


class ScoringError(Exception):
    """Base class of the errors of scoring.

    Its message can always be written to a file or a terminal, also where it holds names that are no UTF-8.
    """

    def __str__(self) -> str:
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class CorpusError(ScoringError, ValueError):
    """A path, format or column mapping of a corpus is wrong."""


class CorpusChanged(CorpusError):
    """Rows of a file were edited, reordered, replaced or removed. The message names the file."""


class CorpusUnavailable(CorpusError, OSError):
    """A dataset of the Hub cannot be loaded on this machine now."""


class ArgumentError(ScoringError, ValueError):
    """An argument has a value that is not allowed. The message names the argument and the allowed values."""


class IncompatiblePair(ScoringError, ValueError):
    """The tokenizers or the logits of the models differ. The message shows the first difference."""


class CalibrationError(ScoringError, ValueError):
    """The calibration file cannot be read, or belongs to another pair, dtype, quantization or alignment."""
