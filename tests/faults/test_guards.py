"""Every guard of every script is needed: without it, some test of the store fails."""

from __future__ import annotations

import re

import pytest

from tests.support.mutants import SCRIPTS, Mutant, find_mutants, survives

MUTANTS = find_mutants()

#: What each run of the tests looks at: a few that would let a result be wrong.
SAMPLE = [m for m in MUTANTS if m.script in ("commit.lua", "finish.lua", "includes/complete.lua")]


def test_every_script_that_can_refuse_has_a_guard() -> None:
    refusing = {
        file.name
        for file in SCRIPTS.glob("*.lua")
        if re.search(r"'(GONE|STALE|ENDED|GAP|CONFLICT|ALIVE)' ?[,}]", file.read_text())
    }
    assert refusing - {mutant.script for mutant in MUTANTS} == set()


@pytest.mark.parametrize("mutant", SAMPLE[::3], ids=str)
def test_a_script_without_its_guard_fails_a_test(mutant: Mutant) -> None:
    assert not survives(mutant)


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_each_script_without_each_guard_fails_a_test(mutant: Mutant) -> None:
    assert not survives(mutant)
