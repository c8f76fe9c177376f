"""Numbers of things in sentences."""

from sweeps.wording import counted, tasks_done


def test_one_thing_has_no_plural() -> None:
    assert [counted(count, "text") for count in (0, 1, 2, 2000)] == ["0 texts", "1 text", "2 texts", "2,000 texts"]


def test_tasks_that_are_done_agree_with_the_number_planned() -> None:
    assert [tasks_done(*numbers) for numbers in ((0, 1), (1, 1), (1, 2), (1000, 2000))] == [
        "0 of 1 task is done",
        "1 of 1 task is done",
        "1 of 2 tasks are done",
        "1,000 of 2,000 tasks are done",
    ]
