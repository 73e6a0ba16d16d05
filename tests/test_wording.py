import pytest

from amr.wording import found, json_path, quoted


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        (float("nan"), "nan"),
        pytest.param(10**10_000, "an integer beyond 64 bits", id="10,000 digits"),
        ("3", '"3"'),
        ([], "an empty list"),
        ([1], "a list"),
        ({}, "an empty object"),
        ({"a": 1}, "an object"),
        ({1}, "a Python set"),
    ],
)
def test_values_are_told_in_the_words_of_json(value: object, words: str) -> None:
    assert found(value) == words


def test_quoted_text_cannot_move_the_cursor_or_break_the_line() -> None:
    text = quoted("\x1b[31m\n\u2028\u202e\ud800é")
    assert text.isprintable()
    assert "é" in text


def test_quoted_text_is_short() -> None:
    assert len(quoted("x" * 1_000_000)) < 80


def test_a_path_quotes_only_keys_that_need_it() -> None:
    assert json_path(("retry", "backoff")) == "$.retry.backoff"
    assert json_path(("inputs", 3, "a b")) == '$.inputs[3]["a b"]'
    assert json_path(()) == "$"
