"""Read a model's tokenizer from its files, without weights, for the load of a model and the encoding benchmark."""

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models.diagnosis import refuse_foreign_code, tokenizer_explained
from models.resolve import ModelFiles


def read_tokenizer(files: ModelFiles) -> PreTrainedTokenizerBase:
    """Read the tokenizer that is beside the weights, or in the GGUF file.

    Raises:
        ModelUnavailable: a file is missing.
        ModelDamaged: a file is damaged.
        ModelUnsupported: no installed library reads this kind of tokenizer, or it needs code that may not run.
    """
    refuse_foreign_code(files)
    with tokenizer_explained(files):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            files.directory,
            gguf_file=files.gguf_file,
            trust_remote_code=files.runs_code,  # always given: without it, transformers asks on the terminal
            local_files_only=True,
        )
    return tokenizer
