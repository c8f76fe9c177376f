"""What names say, and which of them are refused."""

import pytest

from models.errors import ModelNameError
from models.names import TRUST, ModelName, check, parse

COMMIT = "ec89142b67d748a1865ea4451372db8313ada0d8"

NAMES = {
    "gpt2": ("gpt2", None, None, False),
    "org/name": ("org/name", None, None, False),
    "org/name@v1": ("org/name", "v1", None, False),
    f"org/name@{COMMIT}": ("org/name", COMMIT, None, False),
    f"org/name@{COMMIT}{TRUST}": ("org/name", COMMIT, None, True),
    "org/name#q4.gguf": ("org/name", None, "q4.gguf", False),
    "/data/a@b": ("/data/a@b", None, None, False),
    "./a@b#q4.gguf": ("./a@b", None, "q4.gguf", False),
    "~/models/x": ("~/models/x", None, None, False),
    "builtin://tiny-base": ("builtin://tiny-base", None, None, False),
}


@pytest.mark.parametrize("text", NAMES)
def test_names_are_taken_apart(text: str) -> None:
    assert parse(text) == ModelName(text, *NAMES[text])
    assert check(text) == text


REFUSED = {
    "no revision": f"org/name{TRUST}",
    "a branch": f"org/name@main{TRUST}",
    "an abbreviated commit": f"org/name@{COMMIT[:12]}{TRUST}",
    "capitals": f"org/name@{COMMIT.upper()}{TRUST}",
    "a line more": f"org/name@{COMMIT}\n{TRUST}",
    "a directory": f"/data/model{TRUST}",
    "a directory that looks pinned": f"/data/model@{COMMIT}{TRUST}",
    "a file": f"org/name@{COMMIT}#q4.gguf{TRUST}",
    "built in": f"builtin://tiny-base@{COMMIT}{TRUST}",
}


@pytest.mark.parametrize("why", REFUSED)
def test_code_that_no_commit_pins_may_not_run(why: str) -> None:
    with pytest.raises(ModelNameError, match="pin the commit that you have read"):
        parse(REFUSED[why])


def test_a_slip_in_a_built_in_name_is_told() -> None:
    with pytest.raises(ModelNameError, match=r"is not built in \(did you mean 'builtin://tiny-base'\?\); built in are"):
        parse("builtin://tiny-bse")


@pytest.mark.parametrize("text", ["", "@main", f"org/name@{COMMIT}{TRUST}=1", TRUST])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ModelNameError, match="is no model: write org/name"):
        parse(text)
