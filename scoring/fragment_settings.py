"""Settings of fragments: how the texts of a record are cut, as a spec's level says it. Imports no torch."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator, field_validator, model_validator

from scoring.wording import Settings, validate_or_explain

INT32_MAX: Final = 2**31 - 1
"""Largest count of words or tokens: columns of rows have 32 bits."""
Count = Annotated[int, Field(strict=True, ge=1, le=INT32_MAX)]
PrefixLength = Annotated[int, Field(strict=True, ge=2, le=INT32_MAX)]
Seed = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
TWO_UNITS: Final = "lengths are given in words ({words}) and in tokens ({tokens}): take out the ones or the others"


class RandomFragments(Settings):
    """Fragments of random length, cut at the same places in all texts of a record, as published."""

    mode: Literal["random"]
    min_words: Count = 10
    max_words: Count = 300
    seed: Seed = 0
    min_tokens: Count | None = None
    max_tokens: Count | None = None
    balanced: bool = Field(default=True, strict=True)
    """False: every text is cut up to its own end, by draws of its own."""

    @property
    def in_tokens(self) -> bool:
        """True where lengths are counted in tokens."""
        return self.min_tokens is not None

    @property
    def shortest(self) -> int:
        """Shortest length of a fragment, in words or tokens."""
        return self.min_words if self.min_tokens is None else self.min_tokens

    @property
    def longest(self) -> int:
        """Longest length of a fragment, in words or tokens."""
        return self.max_words if self.max_tokens is None else self.max_tokens

    @model_validator(mode="after")
    def _check_lengths(self) -> "RandomFragments":
        words, tokens = _given(self, ("min_words", "max_words")), _given(self, ("min_tokens", "max_tokens"))
        if words and tokens:
            raise ValueError(TWO_UNITS.format(words=" and ".join(words), tokens=" and ".join(tokens)))
        if len(tokens) == 1:
            raise ValueError(f"{tokens[0]} is given alone: give both min_tokens and max_tokens")
        if self.shortest > self.longest:
            unit = "tokens" if self.in_tokens else "words"
            raise ValueError(f"min_{unit} {self.shortest} is above max_{unit} {self.longest}: swap them")
        return self


class PrefixFragments(Settings):
    """The first n tokens of each text, for every n of `tokens`, from one pass through the models."""

    mode: Literal["prefix"]
    tokens: tuple[PrefixLength, ...] = Field(min_length=1)

    @property
    def in_tokens(self) -> bool:
        """False: a text is scored whole, and its prefixes are sums over the first tokens. Nothing is cut."""
        return False

    @field_validator("tokens")
    @classmethod
    def _check_rising(cls, tokens: tuple[int, ...]) -> tuple[int, ...]:
        if list(tokens) != sorted(set(tokens)):
            raise ValueError(f"tokens must rise without repeats, not {list(tokens)}")
        return tokens


class WindowFragments(Settings):
    """Windows at every `step` words or tokens, to see which part of a long text is machine-made."""

    mode: Literal["window"]
    words: Count = 200
    step: Count = 100
    tokens: Count | None = None

    @property
    def in_tokens(self) -> bool:
        """True where windows are counted in tokens."""
        return self.tokens is not None

    @property
    def width(self) -> int:
        """Length of a window, in words or tokens."""
        return self.words if self.tokens is None else self.tokens

    @model_validator(mode="after")
    def _check_step(self) -> "WindowFragments":
        if self.in_tokens and "words" in self.model_fields_set:
            raise ValueError(TWO_UNITS.format(words="words", tokens="tokens"))
        unit = "tokens" if self.in_tokens else "words"
        if self.step > self.width:
            raise ValueError(
                f"step {self.step} is above {unit} {self.width}: {unit} between windows would be lost; "
                f"give a step of {self.width} or less"
            )
        return self


class WholeTexts(Settings):
    """Each text as it is."""

    mode: Literal["whole"]

    @property
    def in_tokens(self) -> bool:
        """False: nothing is cut."""
        return False


def _given(settings: Settings, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in settings.model_fields_set]


def _explain_mistakes(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return validate_or_explain(value, handler)


FragmentSettings = Annotated[
    Annotated[RandomFragments | PrefixFragments | WindowFragments | WholeTexts, Field(discriminator="mode")],
    WrapValidator(_explain_mistakes),
]
_ADAPTER: Final[TypeAdapter[FragmentSettings]] = TypeAdapter(FragmentSettings)


def fragment_settings(level: Mapping[str, object]) -> FragmentSettings:
    """Validate a spec's level, such as `{mode = "random", min_words = 10, max_words = 300}`.

    Raises:
        pydantic.ValidationError: an unknown mode or key, or a value out of range.
    """
    return _ADAPTER.validate_python(dict(level))


def longest_in_tokens(settings: FragmentSettings) -> int | None:
    """Return the length in tokens of the longest fragment or prefix; None where lengths are not in tokens."""
    match settings:
        case PrefixFragments():
            return max(settings.tokens)
        case RandomFragments():
            return settings.max_tokens
        case WindowFragments():
            return settings.tokens
        case WholeTexts():
            return None
