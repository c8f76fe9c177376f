"""How many bytes a model's weights take in memory at least, read from the headers of its files.

A lower bound, for refusing what cannot fit: it never says that something does. Reads no weight.
"""

import math
from pathlib import Path
from typing import Final, Literal

from safetensors import SafetensorError, safe_open

from models.resolve import ModelFiles
from models.sources import weight_files

QUANTIZED_BYTES: Final = {"4-bit": 0.5, "8-bit": 1.0}
"""Of one weight, scales left out: layers that stay as they are (the embedding, the head) take more."""
FLOATS: Final = ("F64", "F32", "F16", "BF16")
"""What is brought into the compute dtype; integers and narrower floats come already packed, in ways of their own."""
SURELY_USED: Final = 0.9
"""Files may hold some tensors that the model has no use for, such as layers that predict several tokens."""


def least_bytes(files: ModelFiles, quantization: Literal["none", "4-bit", "8-bit"], item_bytes: int) -> int:
    """The least that loading all of `files` on one device can take there.

    Args:
        files: a GGUF file does not say what it unpacks to: 0.
        quantization: at load.
        item_bytes: of one number in the compute dtype.

    Returns:
        Bytes; 0 where a file cannot be read, which its load tells better.

    Raises:
        ModelError: a file is missing, or the index of them is damaged.
    """
    if files.gguf_file is not None:
        return 0
    weight_bytes = min(QUANTIZED_BYTES.get(quantization, math.inf), item_bytes)
    try:
        return int(SURELY_USED * weight_bytes * sum(map(_float_count, weight_files(files))))
    except SafetensorError:
        return 0


def _float_count(path: Path) -> int:
    with safe_open(path, framework="pt") as file:
        slices = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 - it is no dict
        return sum(math.prod(one.get_shape()) for one in slices if one.get_dtype() in FLOATS)
