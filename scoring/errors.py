"""What can go wrong between texts and scores; each message says what was seen, what is allowed, what to do.

ScoringError
├── CorpusError (ValueError)      a corpus that cannot be read as asked, found before anything is scored
│   ├── CorpusChanged            rows that are no longer what they were when the run was planned, or scored earlier
│   └── CorpusUnavailable (OSError)  a dataset of the Hub that is not reached from here; it may be another time
├── ArgumentError (ValueError)    an argument of `Binoculars` is not what it may be
├── IncompatiblePair (ValueError) observer and performer do not share one tokenizer
└── CalibrationError (ValueError) a calibration file that is broken, or made for something else

None takes constructor parameters of its own, so that all of them survive pickling. A fragment that cannot
be scored is no exception: it is a result with a `null_reason`.
"""


class ScoringError(Exception):
    """Base: scoring cannot be done as asked.

    Its message can always be written to a file or a terminal, whatever names of files it tells.
    """

    def __str__(self) -> str:
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class CorpusError(ScoringError, ValueError):
    """A path, format or column mapping of a corpus is wrong."""


class CorpusChanged(CorpusError):
    """Rows of a file were edited, reordered, replaced or taken away; the message names the file."""


class CorpusUnavailable(CorpusError, OSError):
    """A dataset of the Hub cannot be loaded here and now; nothing is known of its rows."""


class ArgumentError(ScoringError, ValueError):
    """An argument has a value that means nothing; the message has its name and what it may be."""


class IncompatiblePair(ScoringError, ValueError):
    """The two models disagree about tokens; the message shows the first difference."""


class CalibrationError(ScoringError, ValueError):
    """The calibration file cannot be read, or belongs to another pair, dtype, quantization or alignment."""
