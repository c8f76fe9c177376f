"""The parts of `python -m scoring.detect`: inputs, verdicts, sentences, table, page."""
