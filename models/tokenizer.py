"""A model's tokenizer from its files, without weights: what the load of a model and the encoding benchmark share."""

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models.diagnosis import refuse_foreign_code, tokenizer_explained
from models.resolve import ModelFiles


def read_tokenizer(files: ModelFiles) -> PreTrainedTokenizerBase:
    """The tokenizer that lies beside the weights, or in the GGUF file.

    Raises:
        ModelUnavailable: files are missing.
        ModelDamaged: one of them is not what it should be.
        ModelUnsupported: nothing here can read that kind of tokenizer, or it wants code that may not run.
    """
    refuse_foreign_code(files)
    with tokenizer_explained(files):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            files.directory,
            gguf_file=files.gguf_file,
            trust_remote_code=files.runs_code,  # never left out: transformers would ask on the terminal
            local_files_only=True,
        )
    return tokenizer
