"""A language model split into body and head: hidden states of real tokens, and logits of any vocabulary tile.

Shapes: B texts, L padded length, T real tokens of all texts, H hidden size, V vocabulary, C columns of a
tile, X width of a state (H or V).

A head is more than a matmul in some families: Gemma 2 caps its logits, Cohere and Granite scale them. So a model is
split only where a probe shows three things: the head reads exactly what the body returns; the logits after the head are
a known elementwise map of the head's output; body and head apart give the model's own logits. Any other model is a
`WholeModel`, whose states are the logits themselves: the same scores, more memory.

No attention mask is passed. Models are causal (causality.py makes sure) and padding is on the right, so no real token
sees a padded one. Attention without a mask is faster.
"""

# ruff: noqa: N815 - names end in their shape

import logging
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.load import LoadedModel, native_dtype
from scoring.causality import probe_ids, refuse_noncausal

LOG = logging.getLogger(__name__)
RAMP_LIMIT = 200.0
"""The probe replaces the head's output by logits from −RAMP_LIMIT to RAMP_LIMIT: wide enough to show any soft cap."""
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 4e-3}
"""Largest difference of two lots of logits that count as equal, as a fraction of the largest absolute logit."""


@dataclass(frozen=True)
class LogitMap:
    """The elementwise map that a model applies to its head's output."""

    kind: Literal["identity", "scale", "softcap"] = "identity"
    value: float = 1.0

    def apply_(self, logits_TC: Tensor) -> Tensor:
        """Map the logits in place, and return them."""
        match self.kind:
            case "identity":
                return logits_TC
            case "scale":
                return logits_TC.mul_(self.value)
            case "softcap":
                return logits_TC.div_(self.value).tanh_().mul_(self.value)


@dataclass(frozen=True, eq=False)
class SplitModel:
    """Body and head apart. A state is a hidden state: X = H."""

    body: nn.Module
    weight_VH: Tensor
    bias_V: Tensor | None
    logit_map: LogitMap
    matmul_dtype: torch.dtype
    """dtype of the head's matmul: float32 where the device has no fast matmul of the weights' dtype. Casting the
    weights of a tile costs little."""

    @property
    def device(self) -> torch.device:
        """Device of the head."""
        return self.weight_VH.device

    @property
    def vocabulary(self) -> int:
        """V, the number of logits per token."""
        return len(self.weight_VH)

    def states(self, ids_BL: Tensor, real_BL: Tensor) -> Tensor:
        """Return the hidden states [T, H] of the real tokens, text after text. Padding is on the right."""
        hidden_BLH: Tensor = self.body(input_ids=ids_BL, use_cache=False).last_hidden_state
        return hidden_BLH[real_BL.to(hidden_BLH.device)].to(self.device)

    def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
        """Write the logits of columns [start, start + C) as float32, rounded to the model's dtype."""
        self._logits_into(out_TC, state_TX, slice(start, start + out_TC.shape[1]))

    def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
        """Return the logit [T] of each state's own target, which is an id, as `logits_into` gives it.

        A matmul with the targets' columns, of which the diagonal is kept: unlike a dot product, it mostly rounds as the
        matmul of a tile does, so that ties stay ties.
        """
        logits_TT = torch.empty(len(target_T), len(target_T), device=self.device)
        self._logits_into(logits_TT, state_TX, target_T)
        return logits_TT.diagonal()

    def _logits_into(self, out_TC: Tensor, state_TX: Tensor, columns: slice | Tensor) -> None:
        weight_HC = self.weight_VH[columns].T.to(self.matmul_dtype)
        if out_TC.dtype == self.matmul_dtype:
            torch.mm(state_TX.to(self.matmul_dtype), weight_HC, out=out_TC)
        else:
            out_TC.copy_(torch.mm(state_TX, weight_HC))
        if self.bias_V is not None:
            out_TC += self.bias_V[columns]
        if self.matmul_dtype != self.weight_VH.dtype:
            out_TC.copy_(out_TC.to(self.weight_VH.dtype))  # a dtype gives the same scores on every machine
        self.logit_map.apply_(out_TC)

    def first_logits(self, vocabulary: int) -> "SplitModel":
        """Return the model with its first `vocabulary` logits only."""
        bias_V = None if self.bias_V is None else self.bias_V[:vocabulary]
        return replace(self, weight_VH=self.weight_VH[:vocabulary], bias_V=bias_V)


@dataclass(frozen=True, eq=False)
class WholeModel:
    """A model that cannot be split. A state is a token's row of logits: X = V."""

    model: nn.Module
    device: torch.device
    vocabulary: int

    def states(self, ids_BL: Tensor, real_BL: Tensor) -> Tensor:
        """Return the logits [T, V] of the real tokens, text after text, as the model gives them."""
        logits_BLV: Tensor = self.model(input_ids=ids_BL, use_cache=False).logits
        return logits_BLV[..., : self.vocabulary][real_BL.to(logits_BLV.device)].to(self.device)

    def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
        """Write columns [start, start + C) of the states as float32."""
        out_TC.copy_(state_TX[:, start : start + out_TC.shape[1]])

    def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
        """Return the logit [T] of each state's own target, which is an id, as `logits_into` gives it."""
        return state_TX.gather(1, target_T[:, None])[:, 0].float()

    def first_logits(self, vocabulary: int) -> "WholeModel":
        """Return the model with its first `vocabulary` logits only."""
        return replace(self, vocabulary=vocabulary)


ScorableModel = SplitModel | WholeModel


def scorable_model(loaded: LoadedModel) -> ScorableModel:
    """Split `loaded` where a probe shows that the logits stay the same; else return it whole, and log why.

    Raises:
        ModelUnsupported: the model's logits of a token depend on more than the tokens up to it.
    """
    ids_1L = torch.tensor([probe_ids(loaded)], device=loaded.input_device)
    with torch.inference_mode():
        split, reason = _split(loaded.model, ids_1L)
        if split is not None:
            refuse_noncausal(loaded, split)
            return split
        logits_1LV = loaded.model(input_ids=ids_1L, use_cache=False).logits
    whole = WholeModel(loaded.model, logits_1LV.device, logits_1LV.shape[-1])
    refuse_noncausal(loaded, whole)
    LOG.warning("%s is scored without splitting its head: %s", loaded.files.name, reason)
    return whole


def _split(model: Any, ids_1L: Tensor) -> tuple[SplitModel | None, str]:
    head, body = model.get_output_embeddings(), model.base_model
    if type(head) is not nn.Linear or not head.weight.is_floating_point():
        return None, f"its head is a {type(head).__name__}, not a plain linear layer"
    if head.weight.device.type == "meta" or body is model:
        return None, "its head is offloaded, or it has no separate body"
    read_1LH, ramp_1LV, mapped_1LV = _probe_head(model, head, ids_1L)
    logit_map = _find_logit_map(model.config.get_text_config(), ramp_1LV, mapped_1LV)
    if read_1LH is None or logit_map is None:
        return None, "it changes its logits after the head, by no known elementwise map"
    weight_VH, bias_V = head.weight.detach(), None if head.bias is None else head.bias.detach()
    split = SplitModel(body, weight_VH, bias_V, logit_map, _matmul_dtype(weight_VH))
    state_TH = split.states(ids_1L, torch.ones_like(ids_1L, dtype=torch.bool))
    if not _is_close(state_TH, read_1LH[0].to(split.device)):
        return None, "its head does not read the output of its body"
    logits_TV = torch.empty(len(state_TH), split.vocabulary, device=split.device)
    split.logits_into(logits_TV, state_TH, 0)
    own_TV = model(input_ids=ids_1L, use_cache=False).logits[0].to(split.device)
    if not _is_close(own_TV, logits_TV):
        return None, "body and head apart give other logits than the whole model"
    return split, ""


def _probe_head(model: Any, head: nn.Module, ids_1L: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    """Replace the head's output by a ramp; return the head's input, the ramp, and the model's logits of the ramp."""
    seen: dict[str, Tensor] = {}

    def replace(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        ramp_V = torch.linspace(-RAMP_LIMIT, RAMP_LIMIT, output.shape[-1])
        seen["read"] = inputs[0]
        seen["ramp"] = ramp_V.to(output).expand_as(output).clone()
        return seen["ramp"].clone()

    handle = head.register_forward_hook(replace)
    try:
        mapped_1LV = model(input_ids=ids_1L, use_cache=False).logits
    finally:
        handle.remove()
    return seen.get("read"), seen.get("ramp", mapped_1LV), mapped_1LV


def _find_logit_map(config: Any, ramp_1LV: Tensor, mapped_1LV: Tensor) -> LogitMap | None:
    candidates = [LogitMap()]
    if cap := getattr(config, "final_logit_softcapping", None):
        candidates.append(LogitMap("softcap", float(cap)))
    for name, power in (("logit_scale", 1), ("lm_head_multiplier", 1), ("logits_scaling", -1)):
        if value := getattr(config, name, None):
            candidates.append(LogitMap("scale", float(value) ** power))
    for candidate in candidates:
        if _is_close(mapped_1LV, candidate.apply_(ramp_1LV.to(torch.float32, copy=True))):
            return candidate
    return None


def _is_close(own: Tensor, other: Tensor) -> bool:
    if own.shape != other.shape:
        return False
    limit = TOLERANCE.get(own.dtype, 1e-4) * float(own.abs().max())
    return float((own.float() - other.float()).abs().max()) <= limit


def _matmul_dtype(weight_VH: Tensor) -> torch.dtype:
    emulated = weight_VH.device.type == "cpu" and native_dtype(("cpu",)) != _name(weight_VH.dtype)
    return torch.float32 if emulated else weight_VH.dtype


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
