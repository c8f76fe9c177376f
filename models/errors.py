"""What can go wrong between a name and a model in memory; each message says what to do."""


class ModelError(Exception):
    """Base: the model cannot be had or used as asked.

    Its message can always be written to a file or a terminal, whatever names of files it tells.
    """

    def __str__(self) -> str:
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class ModelUnavailable(ModelError, FileNotFoundError):
    """No files for that name here and now, nor a way to get them: another time there may be."""


class ModelUnsupported(ModelError, RuntimeError):
    """The files are there, but this device, build or quantization cannot run them."""


class ModelDamaged(ModelError, ValueError):
    """The files are there, but they cannot be what they should be: cut short, overwritten, of another model."""


class ModelNameError(ModelError, ValueError):
    """What should name a model does not, or allows more than a name may."""
