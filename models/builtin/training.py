"""Tokenizer, training and sampling of the built-in models: a loop of AdamW and a loop of multinomial draws.

Knows nothing of caches, nor where its texts come from. Only `new_model` touches torch's global random state; its
caller forks that. B texts, K candidates, T tokens, V vocabulary.
"""

import math
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save as serialize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from models.builtin.recipe import Sampling, Schedule, Shape

BOS: Final = "<s>"
EOS: Final = "</s>"
UNK: Final = "<unk>"
PAD: Final = "<pad>"
USER: Final = "<|user|>"
ASSISTANT: Final = "<|assistant|>"
SPECIAL_TOKENS: Final = (UNK, BOS, EOS, PAD, USER, ASSISTANT)
"""Ids 0 to 5. Padding is a token of its own: a mask made from `id != pad` then loses no real end of text."""

CHAT_TEMPLATE: Final = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def train_tokenizer(texts: list[str], vocabulary: int, max_tokens: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of `vocabulary` tokens, specials included; encodes with a leading bos, as Llama's do."""
    bpe = Tokenizer(models.BPE(unk_token=UNK))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, bpe.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT],
        model_max_length=max_tokens,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )


def new_model(shape: Shape, vocabulary: int, max_tokens: int, seed: int) -> LlamaForCausalLM:
    """Return a Llama with random weights, float32, on the CPU; seeds torch's global generator."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.hidden // shape.head,
        num_key_value_heads=shape.hidden // shape.head,
        head_dim=shape.head,
        max_position_embeddings=max_tokens,
        unk_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
        initializer_range=0.02,
        tie_word_embeddings=False,
        dtype="float32",
    )
    return LlamaForCausalLM(config)


def train(model: LlamaForCausalLM, stream_T: Tensor, schedule: Schedule) -> float:
    """Fit `model` in place to windows drawn from a stream of token ids; return the last tenth's mean loss in nats."""
    draw = torch.Generator().manual_seed(schedule.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.peak_rate, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate_share(step, schedule.steps))
    model.train()
    losses: list[float] = []
    for _ in range(schedule.steps):
        starts_B1 = torch.randint(len(stream_T) - schedule.window_tokens, (schedule.batch_texts, 1), generator=draw)
        window_BT = stream_T[starts_B1 + torch.arange(schedule.window_tokens + 1)]
        logits_BTV = model(input_ids=window_BT[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), window_BT[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rates.step()
        losses.append(loss.item())
    model.eval()
    last = losses[-max(1, len(losses) // 10) :]
    return sum(last) / len(last)


def _rate_share(step: int, steps: int) -> float:
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@torch.inference_mode()
def sample(
    model: LlamaForCausalLM, prompts_BT: Tensor, new_tokens: int, sampling: Sampling, draw: torch.Generator
) -> Tensor:
    """Continue every prompt by `new_tokens` tokens, none of them special; return ids [B, new_tokens].

    An own loop, because `generate` draws from torch's global generator.
    """
    drawn: list[Tensor] = []
    past, input_BT = None, prompts_BT
    for _ in range(new_tokens):
        output = model(input_ids=input_BT, past_key_values=past, use_cache=True, logits_to_keep=1)
        past = output.past_key_values
        logits_BV = output.logits[:, -1] / sampling.temperature
        logits_BV[:, : len(SPECIAL_TOKENS)] = -math.inf
        best_BK = logits_BV.topk(sampling.top_k)
        choice_B1 = torch.multinomial(best_BK.values.softmax(-1), 1, generator=draw)
        input_BT = best_BK.indices.gather(-1, choice_B1)
        drawn.append(input_BT)
    return torch.cat(drawn, dim=1)


def save(directory: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, chat: bool) -> None:
    """Write model and tokenizer as Hugging Face does; only a `chat` model's tokenizer has the template."""
    directory.mkdir(parents=True)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(directory)
    GenerationConfig.from_model_config(model.config).save_pretrained(directory)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    (directory / "model.safetensors").write_bytes(serialize(weights, metadata={"format": "pt"}))
    tokenizer.chat_template = CHAT_TEMPLATE if chat else None
    tokenizer.save_pretrained(directory)
