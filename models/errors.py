"""Errors on the way from a name to a model in memory; each message says what to do."""


class ModelError(Exception):
    """Base class: a model cannot be had, or cannot be used as asked.

    Its message can always be written to a file or a terminal, also where it holds names that are no UTF-8.
    """

    def __str__(self) -> str:
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class ModelUnavailable(ModelError, FileNotFoundError):
    """There are no files for that name here and now, nor a way to get them; a later try may find some."""


class ModelUnsupported(ModelError, RuntimeError):
    """The files are there, but this device, build or quantization cannot run them."""


class ModelDamaged(ModelError, ValueError):
    """The files are there, but they cannot be what they should be: cut short, overwritten, of another model."""


class ModelNameError(ModelError, ValueError):
    """A text is no name of a model, or allows more than a name may."""
