from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator

import pytest

from amr.log import LineFormatter, RateLimited, configure


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def record(message: str, level: int = logging.WARNING, **extra: object) -> logging.LogRecord:
    return logging.getLogger("amr.test").makeRecord(
        "amr.test", level, "file", 1, message, (), None, extra=extra
    )


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("amr")
    before = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:], root_level, our_level = before
    root.setLevel(root_level)
    ours.setLevel(our_level)


def test_a_record_is_one_line_with_time_level_name_and_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure()
    logging.getLogger("amr.worker").info("took %d", 3, extra={"job": "j1", "why": "a b"})
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} INFO    amr\.worker: took 3 job=j1 why=\"a b\"\n",
        line,
    )


def test_verbose_shows_debug_lines_and_quiet_hides_them(capsys: pytest.CaptureFixture[str]) -> None:
    configure(verbose=False)
    logging.getLogger("amr.x").debug("hidden")
    configure(verbose=True)
    logging.getLogger("amr.x").debug("shown")
    lines = capsys.readouterr().err
    assert "hidden" not in lines
    assert lines.count("shown") == 1


def test_a_level_may_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    configure(logging.ERROR)
    logging.getLogger("amr.x").warning("hidden")
    logging.getLogger("amr.x").error("shown")
    assert capsys.readouterr().err.count("\n") == 1


def test_control_characters_cannot_break_a_line_or_the_terminal() -> None:
    line = LineFormatter().format(record("one\ntwo \x1b[31m", name_="a\nb"))
    assert "one\\ntwo \\x1b[31m" in line
    assert 'name_="a\\nb"' in line
    assert line.isprintable()


def test_an_error_is_named_on_the_line_and_traced_only_at_debug() -> None:
    try:
        raise ValueError("bad thing")
    except ValueError:
        failed = record("it failed")
        failed.exc_info = sys.exc_info()
    logger = logging.getLogger("amr.test")
    logger.setLevel(logging.INFO)
    try:
        assert LineFormatter().format(failed).endswith('it failed error="ValueError: bad thing"')
        logger.setLevel(logging.DEBUG)
        assert "Traceback" in LineFormatter().format(failed)
    finally:
        logger.setLevel(logging.NOTSET)


def test_a_flood_is_one_line_a_second_that_counts_the_rest() -> None:
    clock = Clock()
    limit = RateLimited(clock=clock)
    passed = [limit.filter(record("lost")) for _ in range(5)]
    clock.now_s += 1.0
    later = record("lost")
    assert passed == [True, False, False, False, False]
    assert limit.filter(later)
    assert LineFormatter().format(later).endswith("lost suppressed=4")


def test_floods_of_other_messages_and_keys_are_counted_apart() -> None:
    limit = RateLimited(clock=Clock())
    assert limit.filter(record("one"))
    assert limit.filter(record("two"))
    assert limit.filter(record("same", rate_key="a"))
    assert not limit.filter(record("other text", rate_key="a"))
    assert limit.filter(record("same", rate_key="b"))


def test_progress_is_not_held_back() -> None:
    limit = RateLimited(clock=Clock())
    assert all(limit.filter(record("done", logging.INFO)) for _ in range(5))
