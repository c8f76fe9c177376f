"""What can go wrong between a name and a model in memory; each message says what to do."""


class ModelError(Exception):
    """Base: the model cannot be had or used as asked."""


class ModelUnavailable(ModelError, FileNotFoundError):
    """No files for that name on this machine, nor a way to get them."""


class ModelUnsupported(ModelError, RuntimeError):
    """The files are there, but this device, build or quantization cannot run them."""


class ModelDamaged(ModelError, ValueError):
    """The files are there, but they cannot be what they should be: cut short, overwritten, of another model."""


class ModelNameError(ModelError, ValueError):
    """What should name a model does not, or allows more than a name may."""
