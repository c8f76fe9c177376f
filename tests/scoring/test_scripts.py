"""The script of a text is that of most of its letters."""

import pytest

from scoring.corpora.scripts import READ_CHARACTERS, script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Naïve café, 123", "LATIN"),
        ("Привет, world и мир", "CYRILLIC"),
        ("中文字符 abc", "CJK"),
        ("こんにちは世界", "HIRAGANA"),
        ("안녕하세요", "HANGUL"),
        ("ＡＢＣ", "LATIN"),
        ("ελ", "GREEK"),
        ("123 …!", None),
        ("", None),
        ("a" * READ_CHARACTERS + "я" * READ_CHARACTERS * 2, "LATIN"),
    ],
)
def test_script_of_a_text(text: str, script: str | None) -> None:
    assert script_of(text) == script
