"""The words by which an error says that memory ran out, on a GPU or on the host.

Scoring halves its batch budget on exactly the errors that the workers report as `oom_gpu` or `oom_host`, because both
ask here. Imports no torch: torch's own error is known by the name of its class.
"""

from typing import Final

GPU_OOM_SIGNS: Final = ("out of memory", "alloc_failed")
"""Words of torch's GPU allocator and of the driver; `alloc_failed` is the status of cuBLAS and cuDNN, whose workspace
lies outside torch's allocator."""
HOST_OOM_SIGNS: Final = ("can't allocate memory", "cannot allocate memory", "not enough memory")
"""Words of torch's CPU allocator, of the operating system (ENOMEM), and of torch's CPU allocator on Windows."""


def is_host_oom(error: BaseException) -> bool:
    """Return True where the host's memory ran out."""
    return isinstance(error, MemoryError) or _has_sign(error, HOST_OOM_SIGNS)


def is_gpu_oom(error: BaseException) -> bool:
    """Return True where a GPU's memory ran out.

    Torch raises a plain RuntimeError for the words of libraries, and not all of these words name the GPU (`cuDNN
    error: …`, `HIP out of memory`). An error of another class counts only where its message names CUDA.
    """
    if type(error).__name__ == "OutOfMemoryError":
        return True
    names_gpu = isinstance(error, RuntimeError) or "cuda" in str(error).lower()
    return names_gpu and _has_sign(error, GPU_OOM_SIGNS)


def is_oom(error: BaseException) -> bool:
    """Return True where the memory of the host or of a GPU ran out."""
    return is_host_oom(error) or is_gpu_oom(error)


def _has_sign(error: BaseException, signs: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(sign in text for sign in signs)
