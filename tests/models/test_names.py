"""Names of models: their meaning, and those that are refused."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelNameError
from models.names import TRUST, ModelName, anchored, check, parse

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
    "/work/c#/m": ("/work/c#/m", None, None, False),
    "/work/c#/m#Q4.GGUF": ("/work/c#/m", None, "Q4.GGUF", False),
    "./m#q4": ("./m#q4", None, None, False),
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


@pytest.mark.parametrize("text", ["org/name#q4", "org/name@v1#q4", "name#.gguf", "builtin://tiny-base#q4"])
def test_what_follows_a_hash_is_a_gguf_file(text: str) -> None:
    with pytest.raises(ModelNameError, match=r"what follows '#' must be a \.gguf file"):
        parse(text)


def test_a_built_in_model_has_no_files_to_choose_from() -> None:
    with pytest.raises(ModelNameError, match=r"has no \.gguf files; write 'builtin://tiny-base'"):
        parse("builtin://tiny-base#q4.gguf")


ODD = ["a\0b", "./\0", "\ud83d", "./m\udcff", "x" * 5000, "./" + "y/" * 4000]


@pytest.mark.parametrize("text", ODD)
def test_what_no_file_or_row_can_hold_is_no_name(text: str, tmp_path: Path) -> None:
    for read in (parse, lambda text: anchored(text, tmp_path)):
        with pytest.raises(ModelNameError, match="is no model: ") as caught:
            read(text)
        assert len(str(caught.value).encode()) < 300


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with models, that is not the working directory."""
    for name in ("m", "org/name", "org/name@v1", "a b[1]", "c#d"):
        (tmp_path / "base" / name).mkdir(parents=True)
    (tmp_path / "elsewhere" / "other").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "base"


ANCHORED = {
    "./m": "{base}/m",
    "./m/": "{base}/m",
    "m": "{base}/m",
    "org/name": "{base}/org/name",
    "org/name@v1": "{base}/org/name@v1",
    "a b[1]": "{base}/a b[1]",
    "c#d": None,
    "./c#d": "{base}/c#d",
    ".": "{base}",
    "../x//./y": "{root}/x/y",
    "./absent": "{base}/absent",
    "~/m": "{root}/home/m",
    "~": "{root}/home",
    "~/m#q4.gguf": "{root}/home/m#q4.gguf",
    "m#q4.gguf": "{base}/m#q4.gguf",
    "org/absent#sub/q4.gguf": "{base}/org/absent#sub/q4.gguf",
    "/data/../m": "/m",
    "//m": "/m",
    "other": "other",
    "org/absent": "org/absent",
    "org/name@v2": "org/name@v2",
    f"org/name@{COMMIT}{TRUST}": f"org/name@{COMMIT}{TRUST}",
    "builtin://tiny-base": "builtin://tiny-base",
}


@pytest.mark.parametrize("text", [text for text, expected in ANCHORED.items() if expected])
def test_directories_become_absolute_against_their_base(text: str, base: Path) -> None:
    expected = str(ANCHORED[text]).format(base=base, root=base.parent)
    assert anchored(text, base) == expected
    assert anchored(expected, Path("/other")) == expected, "once and for all"


def test_a_link_stays_a_link(base: Path) -> None:
    (base / "link").symlink_to(base / "m")
    assert anchored("link", base) == f"{base}/link"


def test_a_relative_base_is_that_of_the_working_directory(base: Path) -> None:
    assert anchored("./m", Path("../base")) == f"{base}/m"


def test_a_home_that_nobody_has_is_told(base: Path) -> None:
    with pytest.raises(ModelNameError, match="no home directory for '~nobody-of-that-name'"):
        anchored("~nobody-of-that-name/m", base)


@pytest.mark.fuzz
@given(st.text(st.characters() | st.sampled_from("./~#@?\0\ud800:")))
def test_any_text_is_a_name_or_is_refused_as_none(text: str) -> None:
    for read in (parse, lambda text: anchored(text, Path(os.sep))):
        try:
            read(text)
        except ModelNameError as error:
            assert str(error).encode()
