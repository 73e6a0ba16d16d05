"""Outputs that outlive the worker that made them."""

from __future__ import annotations

import random

from amr.task import Outcome, Task
from amr.worker.journal import JOURNAL_BYTES, Journal
from amr.worker.slot import Slots


def outcome(index: int, size: int = 10) -> Outcome:
    task = Task(b"1763676800000-%d" % index, "job-1", "map", index, 1 + index % 3, b"")
    counters = {"seen": index} if index % 2 else None
    return Outcome(task, bytes([48 + index % 10]) * size, None, counters, index / 1000)


def empty() -> Journal:
    return Journal(memoryview(bytearray(JOURNAL_BYTES)))


def test_the_supervisor_reads_what_the_worker_has_not_told() -> None:
    slots = Slots(2)
    journal = slots.journal(1)
    for index in range(5):
        assert journal.append(outcome(index))
    mark = journal.mark()
    assert journal.append(outcome(5))
    reader = Slots(2, slots.file_number).journal(1)
    assert reader.read() == [outcome(index) for index in range(6)]
    journal.release(mark)
    assert reader.read() == [outcome(5)]
    assert slots.journal(0).read() == []
    slots.journal(1).clear()
    assert reader.read() == []
    slots.close()


def test_a_full_journal_says_so_and_takes_more_when_the_rest_is_told() -> None:
    journal = empty()
    assert not journal.append(outcome(0, JOURNAL_BYTES))
    assert journal.append(outcome(1, JOURNAL_BYTES // 2))
    assert not journal.append(outcome(2, JOURNAL_BYTES // 2))
    assert journal.read() == [outcome(1, JOURNAL_BYTES // 2)]
    journal.release(journal.mark())
    assert journal.append(outcome(2, JOURNAL_BYTES // 2))
    assert journal.read() == [outcome(2, JOURNAL_BYTES // 2)]


def test_a_journal_goes_round_and_round() -> None:
    rng = random.Random(3)
    journal = empty()
    kept: list[Outcome] = []
    for index in range(3000):
        one = outcome(index, rng.choice([0, 1, 100, 5000, 60_000]))
        while not journal.append(one):
            journal.release(journal.mark())
            kept.clear()
        kept.append(one)
        if rng.random() < 0.05:
            journal.release(journal.mark())
            kept.clear()
        if not index % 100:
            assert journal.read() == kept


def test_a_record_that_was_not_written_whole_does_not_count() -> None:
    memory = memoryview(bytearray(JOURNAL_BYTES))
    journal = Journal(memory)
    journal.append(outcome(0))
    before = bytes(memory[:16])
    journal.append(outcome(1))
    memory[:16] = before
    assert journal.read() == [outcome(0)]
