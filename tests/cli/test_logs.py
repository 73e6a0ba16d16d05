"""The words of `amr logs`, and what its --since understands."""

from __future__ import annotations

import time

import pytest
import typer

from amr.cli.event_lines import EventLines
from amr.cli.logs import since_ms
from amr.store.events import Event


def event(kind: str, time_ms: int = 0, **fields: str) -> Event:
    return Event(f"{time_ms}-0", time_ms, kind, fields)


def words(one: Event) -> str:
    """Returns the line without its time."""
    return EventLines().describe(one).partition(" ")[2]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (event("created"), "job created"),
        (event("queued", total="12000"), "12,000 map tasks queued"),
        (
            event("retry", task="37", attempt="2", delay_ms="1000", error="ValueError: no"),
            "map[37]#2 retry in 1s: ValueError: no",
        ),
        (event("failed", task="3", attempt="4", error="E: x"), "map[3]#4 failed for good: E: x"),
        (event("failed", task="reduce", attempt="1"), "reduce#1 failed for good: "),
        (event("failed", error="map task 3 failed"), "job failed: map task 3 failed"),
        (event("swept", task="7"), "map[7] its stream entry was lost: given a new one"),
        (
            event("reducing", done="8", failed="2"),
            "all map tasks ended: 8 done, 2 failed; reducing",
        ),
        (event("succeeded", result='{"a":1}'), 'job succeeded: {"a":1}'),
        (event("cancelled"), "job cancelled"),
        (
            event("log", stage="map", index="1", attempt="2", level="print", text="hello"),
            "map[1]#2 hello",
        ),
        (
            event("log", stage="reduce", index="0", attempt="1", level="warning", text="hm"),
            "reduce#1 warning: hm",
        ),
    ],
)
def test_each_kind_of_event_has_its_words(one: Event, said: str) -> None:
    assert words(one) == said


@pytest.mark.parametrize(
    "one",
    [
        event("log", stage="map", index="1", attempt="1", level="print", text="\x1b[31m\r\x9b2J\n"),
        event("retry", task="1", attempt="1", delay_ms="0", error="\x1b]0;title\x07"),
        event("succeeded", result='"\x9b2J\x7f"'),
        event("failed", error="\u202e\x1b[2J"),
    ],
)
def test_users_text_cannot_steer_the_terminal(one: Event) -> None:
    assert EventLines().describe(one).isprintable()


def test_progress_has_the_rate_since_the_progress_before_it() -> None:
    lines = EventLines()
    first = lines.describe(event("progress", 1000, done="100", failed="0", total="1000"))
    second = lines.describe(event("progress", 1500, done="198", failed="2", total="1000"))
    assert first.endswith("100 of 1,000 (10 %) map tasks done")
    assert second.endswith("198 of 1,000 (20 %) map tasks done, 2 failed, 200/s")


def test_progress_without_a_known_total_has_no_share() -> None:
    assert words(event("progress", done="5", failed="0")) == "5 map tasks done"


@pytest.mark.parametrize(
    ("text", "ago_s"), [("9s", 9), ("15m", 900), ("13h", 46_800), ("3d", 259_200), ("1h30m", 5400)]
)
def test_since_may_be_a_time_ago(text: str, ago_s: int) -> None:
    assert abs(since_ms(text) - (time.time() - ago_s) * 1000) < 1000


def test_since_may_be_a_moment() -> None:
    moment_ms = 1_795_212_785_250
    assert since_ms(str(moment_ms)) == moment_ms
    assert since_ms("2026-11-20T22:13:05.250Z") == moment_ms
    assert since_ms("2026-11-20T23:13:05.250+01:00") == moment_ms
    assert since_ms("2026-11-20T22:13:05.250") == round(
        time.mktime((2026, 11, 20, 22, 13, 5, 0, 0, -1)) * 1000 + 250
    )


def test_since_before_1970_means_everything() -> None:
    assert since_ms("99999d") == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "-5m",
        pytest.param("9" * 400 + "d", id="infinitely many days"),
        pytest.param("9" * 5000, id="5,000 digits"),
        "\u00b2" * 13,
        "0001-01-01",
        "2026-13-01",
    ],
)
def test_what_is_no_time_is_refused_in_words(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time"):
        since_ms(text)
