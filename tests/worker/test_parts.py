"""The small parts of a worker: pace, slots, interrupts, its hand, its outbox."""

from __future__ import annotations

import threading
import time

import pytest

from amr.errors import TaskTimeoutError
from amr.interrupt import Interrupter
from amr.invokers.context import LogSink
from amr.store.link import Link
from amr.store.replies import Code
from amr.task import Outcome, Task
from amr.worker.hand import Hand
from amr.worker.journal import JOURNAL_BYTES, Journal
from amr.worker.pace import BATCH_MOST, Pace
from amr.worker.plans import Plans
from amr.worker.settlement import Settlement
from amr.worker.slot import Slots
from tests.support.store_bench import StoreBench


def task(index: int) -> Task:
    return Task(b"1-%d" % index, "j", "map", index, 1, b"1")


def test_the_first_batch_is_one_task_and_fast_tasks_fill_the_largest() -> None:
    pace = Pace()
    pace.met(None, 100_000)
    assert pace.batch(None) == 1
    pace.ran(1e-6, 1)
    for _ in range(30):
        pace.ran(1e-6, 10)
    assert pace.batch(None) == BATCH_MOST


def test_long_tasks_go_one_at_a_time() -> None:
    pace = Pace()
    pace.met(2.0, 1000)
    assert pace.batch(None) == 1


def test_the_end_of_a_job_is_shared_evenly() -> None:
    pace = Pace()
    pace.met(1e-6, 0)
    sizes = []
    left = 100
    while left:
        pace.left(left, 2)
        sizes.append(min(left, pace.batch(None)))
        left -= sizes[-1]
    assert sizes[0] == 17
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_concurrent_calls_take_no_more_than_their_places() -> None:
    pace = Pace()
    pace.met(0.1, 1000)
    assert pace.batch(7) == 7


def test_a_slot_tells_what_runs_and_until_when() -> None:
    slots = Slots(2)
    reader = Slots(2, slots.file_number).slot(1)
    slot = slots.slot(1)
    assert reader.read() == (b"", 0, 0, None)
    slot.begin(b"1763676800000-12", 5.0)
    doing = reader.read()
    assert doing.entry_id == b"1763676800000-12"
    assert 4e9 < doing.kill_at_ns - time.monotonic_ns() < 6e9
    slot.watch_concurrent(3, 99)
    assert reader.read().kill_at_ns == doing.kill_at_ns
    slot.end()
    slot.mark(7)
    assert reader.read() == (b"", 0, 3, 7)
    slot.begin(b"1-1", None)
    assert reader.read() == (b"1-1", 0, 3, None)
    slot.end()
    slot.watch_concurrent(2, 99)
    assert reader.read() == (b"", 99, 2, None)
    assert slots.slot(0).read() == (b"", 0, 0, None)
    slots.close()


def test_each_task_of_a_hand_goes_to_one_taker() -> None:
    hand = Hand()
    hand.add(map(task, range(10_000)))
    taken: list[Task] = []
    threads = [threading.Thread(target=lambda: taken.extend(hand.take_all())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(t.index for t in taken) == list(range(10_000))


def test_an_interrupt_reaches_its_own_task_and_no_other() -> None:
    interrupter = Interrupter()
    interrupter.install()
    mine = task(1)
    interrupter.running = mine
    threading.Timer(0.05, interrupter.interrupt, (mine, TaskTimeoutError("slow"))).start()
    with pytest.raises(TaskTimeoutError):
        time.sleep(5)
    interrupter.running = task(2)
    interrupter.interrupt(mine, TaskTimeoutError("slow"))
    interrupter.running = None
    interrupter.interrupt(task(3), TaskTimeoutError("slow"))


def settlement_of(bench: StoreBench) -> Settlement:
    journal = Journal(memoryview(bytearray(JOURNAL_BYTES)))
    return Settlement(bench.transitions, _plans(bench), Pace(), LogSink(), "w1", journal)


def _plans(bench: StoreBench) -> Plans:
    from amr.invokers.registry import Registry

    return Plans(bench.inspector, Registry.with_targets(None, {}), Pace(), lambda *_: Code.OK)


def test_outcomes_added_while_others_are_sent_are_never_lost(redis_target: object) -> None:
    bench = StoreBench(redis_target)  # type: ignore[arg-type]
    bench.submit(4000)
    settlement = settlement_of(bench)
    ended = threading.Event()

    def send() -> None:
        link = Link(bench.link.target)
        while not ended.is_set() or settlement.waits():
            settlement.exchange(link)

    sender = threading.Thread(target=send)
    sender.start()
    seen = 0
    while seen < 4000:
        for found in bench.fetch(50):
            seen += found.stage == "map"
            settlement.settle(Outcome(found, b"1", None, None, 1e-5))
    ended.set()
    sender.join(30)
    assert bench.status().succeeded == 4000
    bench.check()


def test_what_could_not_be_sent_is_sent_again(
    redis_target: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = StoreBench(redis_target)  # type: ignore[arg-type]
    bench.submit(2)
    settlement = settlement_of(bench)
    for found in bench.fetch():
        settlement.settle(Outcome(found, b"1", None, None, 1e-5))

    def cut(self: Link, count: int, timeout_s: float) -> None:
        self.close()
        raise ConnectionError("cut after the commit")

    with monkeypatch.context() as patched:
        patched.setattr(Link, "_receive", cut)
        with pytest.raises(ConnectionError):
            settlement.exchange(bench.link)
    assert settlement.waits()
    settlement.exchange(bench.link)
    assert not settlement.waits()
    assert bench.status().succeeded == 2
    bench.check()


def test_an_outcome_that_redis_refuses_does_not_hold_the_others_up(redis_target: object) -> None:
    bench = StoreBench(redis_target)  # type: ignore[arg-type]
    bench.submit(1, job="good")
    bench.submit(1, job="bad")
    bench.redis("SET", bench.keys.job_key("outputs", "bad"), "not a hash")
    settlement = settlement_of(bench)
    for found in bench.fetch():
        settlement.settle(Outcome(found, b"1", None, None, 1e-5))
    settlement.exchange(bench.link)
    assert bench.status("good").succeeded == 1
    assert not settlement.waits()
    assert (bench.status("bad").state, bench.status("bad").failed) == ("failed", 1)
    (failed,) = bench.inspector.failures("bad")
    assert "WRONGTYPE" in failed.error["message"]
