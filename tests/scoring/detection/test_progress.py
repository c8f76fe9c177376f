"""Progress is shown on a terminal and nowhere else."""

import io

from rich.console import Console

from scoring.detection.progress import loading, print_message, scoring, time_left


def console(is_terminal: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=is_terminal, width=100, _environ={}), stream


def test_on_a_terminal_loads_and_texts_are_shown_with_their_number() -> None:
    shown, stream = console(is_terminal=True)
    with loading(["org/base\x1b[2J", "org/base\x1b[2J", "org/[b]instruct"], shown):
        pass
    assert "loading org/base\\x1b[2J and org/[b]instruct" in stream.getvalue()
    assert list(scoring(iter("abc"), 3, shown)) == ["a", "b", "c"]
    assert "scoring texts" in stream.getvalue()
    assert "3/3" in stream.getvalue()
    assert "about 0:00:00 left" in stream.getvalue()


def test_the_estimate_is_by_the_mean_of_all_texts_so_far() -> None:
    assert time_left(6.0, 64, 128) == "about 0:00:06 left"
    assert time_left(60.0, 1, 61) == "about 1:00:00 left"
    assert time_left(5.0, 4, 3) == "about 0:00:00 left", "more texts than were counted"


def test_elsewhere_nothing_is_shown() -> None:
    silent, stream = console(is_terminal=False)
    with loading(["org/base"], silent):
        assert list(scoring(iter("abc"), 3, silent)) == ["a", "b", "c"]
    assert stream.getvalue() == ""


def test_a_message_holds_nothing_that_a_terminal_obeys() -> None:
    shown, stream = console(is_terminal=False)
    print_message("[bold]a\x1b[31m\nb\u202e", shown)
    assert stream.getvalue() == "[bold]a\\x1b[31m\nb\\u202e\n"
