"""How far a job is, where nobody watches and on a terminal."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from amr.cli import progress
from amr.cli.progress import JobProgress
from amr.states import JobState
from tests.support.statuses import RUNNING


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds that the progress sees; set its only element."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_a_second_at_most_and_the_last_one_always(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with JobProgress() as shown:
        for done in range(0, 1000, 100):
            shown.show(replace(RUNNING, succeeded=done))
            clock[0] += 0.25
        shown.show(replace(RUNNING, succeeded=998, failed=2, state=JobState.SUCCEEDED))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "pi-1: mapping 0/1000 done",
        "pi-1: mapping 400/1000 done  400/s  1.5s left",
        "pi-1: mapping 800/1000 done  400/s  500ms left",
        "pi-1: succeeded 1000/1000 done, 2 failed",
    ]


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with JobProgress(quiet=True) as shown:
        shown.show(RUNNING)
        shown.line("a line")
    assert capsys.readouterr() == ("", "")


def test_a_name_is_no_markup_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    with JobProgress() as shown:
        shown.show(replace(RUNNING, name="[/red] [bold]pi", succeeded=5))
        shown.line("[/red] a line")
    err = capsys.readouterr().err
    assert "mapping [/red] [bold]pi" in err
    assert "[/red] a line" in err
