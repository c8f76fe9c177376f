"""The page, as a parser of HTML reads it."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest

from scoring.calibration import Calibration
from scoring.detection.inputs import Entry
from scoring.detection.judging import Judge, judge
from scoring.detection.page import refuse_page, segments, write_page
from scoring.detection.sentences import Tally
from scoring.errors import ScoringError
from scoring.fragment_settings import WindowFragments
from tests.scoring.detection.fakes import CURVE, FOR_WINDOWS, FakeScorer, calibration
from tests.scoring.detection.test_judging import SETTINGS, WINDOWS, words


class Page(HTMLParser):
    """Elements of a page with their classes, and the text in each."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.by_class: dict[str, list[str]] = {}
        self._open: list[tuple[str, list[str]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("meta", "link", "img", "br"):
            return
        name = dict(attrs).get("class") or ""
        self._open.append((name, []))

    def handle_endtag(self, tag: str) -> None:
        name, texts = self._open.pop()
        self.by_class.setdefault(name, []).append("".join(texts))

    def handle_data(self, data: str) -> None:
        for _, texts in self._open:
            texts.append(data)

    def names(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(
    folder: Path, entries: list[Entry], by: Calibration | None, windows: WindowFragments | None = None, **more: Any
) -> Page:
    using = Judge("score", by, windows, **more)
    scorer = cast(Any, FakeScorer("org/base", "org/instruct", **SETTINGS))
    tally = Tally()

    def counted() -> Any:
        for one in judge(scorer, entries, using):
            tally.add(one)
            yield one

    write_page(folder / "page.html", counted(), using, tally, lambda: ["a note"])
    assert [path.name for path in folder.iterdir()] == ["page.html"], "nothing is left beside the page"
    return Page(folder / "page.html")


HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def test_nothing_of_a_text_is_markup_and_nothing_is_loaded(tmp_path: Path) -> None:
    text = f"{HTML} & \x1b[31m \u202e words {{{{ 7 * 7 }}}} <!-- sections -->"
    entries = [Entry(f"{HTML}\ud83d", text=text), Entry(HTML, HTML, 0, null_reason="bad_row", error=HTML)]
    page = page_of(tmp_path, entries, calibration(published=HTML, promise=None))
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.tags}
    (text_shown,) = page.by_class["text"]
    assert text_shown == f"{HTML} & \\x1b[31m \\u202e words {{{{ 7 * 7 }}}} <!-- sections -->"
    policy = next(meta["content"] for meta in page.names("meta") if "http-equiv" in meta)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert not any({"src", "href"} & attributes.keys() for _, attributes in page.tags)
    assert page.by_class["promise"] == [f"No promise: {HTML}"]


def test_the_page_begins_with_the_promise_and_counts(tmp_path: Path) -> None:
    texts = [words(5, 0.7), words(5), words(2), words(101), " "]
    entries = [Entry(str(index), text=text) for index, text in enumerate(texts)]
    page = page_of(tmp_path, entries, calibration())
    assert page.by_class["promise"][0].startswith("At most 1 in 100 human texts like those calibrated on is flagged")
    assert page.by_class["verdict machine"] == ["machine"] * 2, "in the legend, and at its text"
    for verdict in ("not-flagged", "too-short-to-say", "longer-than-calibrated", "no-score"):
        assert page.by_class[f"verdict {verdict}"] == [verdict.replace("-", " ")] * 2
    assert page.by_class["count"] == ["1"] * 5
    assert "human" not in {verdict for name in page.by_class if "verdict" in name for verdict in page.by_class[name]}
    assert "window machine" not in page.by_class, "texts are not shaded where windows were not judged"
    assert "a note" in page.by_class["aside"]


def test_windows_are_shaded_by_their_own_verdicts(tmp_path: Path) -> None:
    text = f"a  {words(3, 0.75)}\n\n{words(4, 0.65)}  z\n"
    page = page_of(tmp_path, [Entry("a", text=text)], calibration(**FOR_WINDOWS), WINDOWS)
    spans = [attributes for attributes in page.names("span") if "title" in attributes]
    assert [span["class"] for span in spans] == [
        "window not-flagged",
        "window not-flagged",
        "window machine",
        "window machine",
    ]
    assert spans[2]["title"] == "words 4–8: score 0.6500, threshold 0.7000, machine"
    assert page.by_class["text"] == [text], "every character is there once, in order"
    assert any("window whose middle is nearest" in text for text in page.by_class[""])


def test_each_word_is_shown_as_the_window_whose_middle_is_nearest() -> None:
    for count in range(1, 30):
        for width in range(1, 9):
            step = max(1, width // 2)
            windows = WindowFragments(mode="window", words=width, step=step)
            by = calibration(**FOR_WINDOWS | {"fragments": windows.model_dump()})
            using = Judge("score", by, windows)
            entry = Entry("a", text=" ".join(f"w{index}" for index in range(count)))
            scorer = cast(Any, FakeScorer("org/base", "org/instruct", **SETTINGS))
            (one,) = judge(scorer, [entry], using)
            parts = segments(one, using)
            assert "".join(part.text for part in parts) == entry.text
            for part in parts:
                assert part.window is not None
                middles = [window.row.start_word * 2 + window.row.length_words for window in one.windows or ()]
                for word in part.text.split():
                    place = 2 * int(word[1:]) + 1
                    own = part.window.row.start_word * 2 + part.window.row.length_words
                    assert abs(own - place) == min(abs(middle - place) for middle in middles)


def test_windows_that_are_not_judged_are_in_a_table_and_the_text_is_plain(tmp_path: Path) -> None:
    page = page_of(tmp_path, [Entry("a", text=words(8, 0.1))], calibration(), WINDOWS)
    assert not [span for span in page.names("span") if "title" in span]
    assert page.by_class["text"] == [words(8, 0.1)]
    assert len(page.names("tr")) == 1 + 1 + 3, "legend, head, windows"
    assert any("the calibration is for texts, not for windows" in text for text in page.by_class[""])


def test_a_page_without_a_calibration_promises_nothing(tmp_path: Path) -> None:
    page = page_of(tmp_path, [Entry("a", text=words(8))], None)
    assert page.by_class["promise"] == [
        "Scores only: without a calibration there are no verdicts, and nothing is promised."
    ]
    assert not [name for name in page.by_class if name.startswith("verdict")]


def test_cut_and_unlike_texts_and_probabilities_are_told(tmp_path: Path) -> None:
    by = calibration(probability=CURVE)
    texts = [words(600, 0.1), words(5, 0.9)]
    page = page_of(tmp_path, [Entry(str(i), text=text) for i, text in enumerate(texts)], by, prior=0.5)
    assert page.by_class["note"] == [
        "Longer than 512 tokens: score and verdict are about the first 512 tokens.",
        "Unlike the texts of the calibration, so that the promise is not about this text: 512 tokens, and the texts of "
        "the calibration have 3 to 100.",
    ]
    assert any("P(machine) 30% at a prior of 0.5" in text for text in page.by_class[""])


def test_a_page_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")

    def breaking() -> Any:
        yield from judge(
            cast(Any, FakeScorer("a/a", "b/b", **SETTINGS)), [Entry("a", text=words(5))], Judge("score", None)
        )
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_page(tmp_path / "page.html", breaking(), Judge("score"), Tally(), list)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old"


def test_a_page_that_cannot_be_is_refused_first(tmp_path: Path) -> None:
    refuse_page(tmp_path / "page.html", as_json=False)
    for path, as_json, message in [
        (tmp_path, False, "is a folder; name a file"),
        (tmp_path / "no" / "page.html", False, f"there is no folder {tmp_path / 'no'}; make it first"),
        (tmp_path / "page.html", True, "--json and --html are two answers"),
    ]:
        with pytest.raises(ScoringError, match=message):
            refuse_page(path, as_json)
