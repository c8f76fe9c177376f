"""Lower bound of the memory that a model's weights take, from the headers of its weight files.

The bound is for refusing a model that cannot fit. A model below the bound may still not fit. No weight is read.
"""

import math
from pathlib import Path
from typing import Final, Literal

from safetensors import SafetensorError, safe_open

from models.resolve import ModelFiles
from models.sources import weight_files

QUANTIZED_BYTES: Final = {"4-bit": 0.5, "8-bit": 1.0}
"""Bytes of one packed weight, without scales. Layers that stay unpacked (embedding, head) take more."""
FLOATS: Final = ("F64", "F32", "F16", "BF16")
"""Dtypes in a file that are converted to the compute dtype. Integers and narrower floats come packed already."""
SURELY_USED: Final = 0.9
"""Share of a file's weights that a model surely uses: files may hold tensors, such as extra prediction layers, that are
not loaded."""


def min_weight_bytes(files: ModelFiles, quantization: Literal["none", "4-bit", "8-bit"], item_bytes: int) -> int:
    """Return a lower bound of the bytes that the weights take on one device.

    Args:
        files: of the model.
        quantization: at load.
        item_bytes: size of one number in the compute dtype.

    Returns:
        Bytes. 0 for a GGUF file, whose header does not say what it unpacks to. 0 where a file cannot be read, because
        loading it gives the better message.

    Raises:
        ModelUnavailable: a weight file is missing.
        ModelDamaged: the index of the weight files cannot be read.
    """
    if files.gguf_file is not None:
        return 0
    weight_bytes = min(QUANTIZED_BYTES.get(quantization, math.inf), item_bytes)
    try:
        return int(SURELY_USED * weight_bytes * sum(map(_float_count, weight_files(files))))
    except SafetensorError:
        return 0


def _float_count(path: Path) -> int:
    """Return the number of weights of a safetensors file that are stored as floats."""
    with safe_open(path, framework="pt") as file:
        tensors = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 - the file is no dict
        return sum(math.prod(tensor.get_shape()) for tensor in tensors if tensor.get_dtype() in FLOATS)
