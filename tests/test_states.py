"""The tables of states, the headers of scripts and the document say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from amr.states import ENDED_STATES, JOB_MOVES, LIVE_STATES, TASK_MOVES, JobState, Place
from amr.store.loader import load_scripts, read_header

SCRIPTS = load_scripts()
ROOT = Path(__file__).parents[1]


def moves_of(script: str) -> str:
    """Returns what the header of a script says that it moves."""
    path = ROOT / "amr" / "store" / "scripts" / f"{script}.lua"
    text = path.read_text()
    lines = re.search(r"-- Moves: +(.*?)\n-- KEYS", text, re.DOTALL)
    assert lines
    return re.sub(r"\n-- +", " ", lines[1])


@pytest.mark.parametrize("move", JOB_MOVES + TASK_MOVES, ids=lambda m: f"{m.script}-{m.target}")
def test_every_move_is_in_the_header_of_its_script(move: object) -> None:
    script, source, target = move  # type: ignore[misc]
    told = moves_of(script)
    assert source in told
    assert target in told


def test_scripts_without_a_move_are_in_no_table() -> None:
    movers = {move.script for move in JOB_MOVES + TASK_MOVES}
    still = {name for name in SCRIPTS if moves_of(name).startswith("nothing: ")}
    assert movers == set(SCRIPTS) - still


def test_every_state_is_reached_and_only_live_ones_are_left() -> None:
    assert {move.target for move in JOB_MOVES} == set(JobState)
    left = {move.source for move in JOB_MOVES if move.script != "redrive"}
    assert left - {"nothing"} == LIVE_STATES
    assert ENDED_STATES.isdisjoint(LIVE_STATES)


def test_tasks_move_between_known_places() -> None:
    places = {move.source for move in TASK_MOVES} | {move.target for move in TASK_MOVES}
    assert places - {"nothing"} == set(Place)


def test_the_module_reads_its_header_fields() -> None:
    assert read_header("-- KEYS:    a b\n-- Include:\n") == {"KEYS": "a b", "Include": ""}
