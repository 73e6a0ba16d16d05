"""Connections that are cut, delayed, half-open or killed, and answers that never come."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from amr.client import Client
from amr.store.connection import connect
from amr.store.link import Call, Link, same
from tests.support.fault_case import FaultCase
from tests.support.proxy import Proxy, Way
from tests.support.wait import wait_for

JOB = {"mapper": "faulty.sleep", "reducer": "faulty.total", "inputs": [0.02] * 60}
RESULT = {"sum": sum(range(60)), "count": 60}


@pytest.fixture
def proxy(case: FaultCase) -> Proxy:
    return case.proxy()


@pytest.mark.fault(2, 29)
@pytest.mark.parametrize("way", Way)
def test_a_connection_cut_in_the_middle_of_a_message_loses_nothing(
    case: FaultCase, proxy: Proxy, way: Way
) -> None:
    case.trigger(url=proxy.target.url())
    job = case.submit(JOB, RESULT)
    for count_bytes in (1, 50, 700, 1500):
        wait_for(lambda least=count_bytes: job.status().succeeded >= least / 50)
        proxy.cut_after(way, count_bytes)
        wait_for(lambda: not proxy.cut_is_due() or not job.status().live)
    assert job.result(20) == RESULT


@pytest.mark.fault(29)
def test_all_connections_killed_at_once_cost_no_execution(case: FaultCase) -> None:
    case.trigger()
    job = case.submit(JOB, RESULT)
    with connect(case.target) as client:
        for least in (5, 20, 40):
            wait_for(lambda least=least: job.status().succeeded > least)
            client.client_kill_filter(_type="normal", skipme=True)
    assert job.result(20) == RESULT


@pytest.mark.fault(30)
@pytest.mark.parametrize("ways", [(Way.REQUESTS,), (Way.REPLIES,), tuple(Way)], ids=str)
def test_a_black_hole_costs_time_only(case: FaultCase, proxy: Proxy, ways: tuple[Way, ...]) -> None:
    first = case.trigger(url=proxy.target.url())
    job = case.submit(JOB, RESULT)
    wait_for(lambda: len(first.calls()) > 4)
    proxy.swallow(*ways)
    # Its lease of two seconds ends; another machine goes on with what it held.
    case.trigger()
    case.costs(len(first.workers()) * 10)
    assert job.result(30) == RESULT
    proxy.heal()
    proxy.cut()
    again = case.submit(JOB | {"name": "after"}, RESULT)
    assert again.result(30) == RESULT


@pytest.mark.fault(16)
def test_a_submission_whose_answer_was_lost_is_one_job(case: FaultCase, proxy: Proxy) -> None:
    with Client(proxy.target) as client:
        client.jobs()  # connected: what is cut next is the submission
        proxy.cut_after(Way.REPLIES, 1)
        job = client.invoke(JOB, id="once")
    assert not proxy.cut_is_due()
    case.expect(case.client.job(job.id), RESULT)
    assert len(case.client.jobs()) == 1
    again = case.client.invoke(JOB, id="once")
    assert not again.created
    case.trigger()


@pytest.mark.fault(31)
def test_an_answer_that_was_given_up_meets_no_later_call(case: FaultCase, proxy: Proxy) -> None:
    with closing(Link(proxy.target, timeout_s=0.2)) as link:
        assert link.run(Call(("ECHO", "first"), same)) == b"first"
        proxy.latency_s = 0.5
        with pytest.raises(Exception, match=r"(?i)time"):
            link.run(Call(("ECHO", "late"), same))
        proxy.latency_s = 0.0
        time.sleep(0.6)  # the late answer would be there by now
        assert link.run(Call(("ECHO", "second"), same)) == b"second"


@pytest.mark.fault(28)
def test_scripts_that_redis_forgets_all_the_time_cost_nothing(case: FaultCase) -> None:
    trigger = case.trigger()
    job = case.submit(JOB, RESULT)
    with connect(case.target) as client:
        while job.status().live:
            client.script_flush()
            time.sleep(0.02)
    assert job.result(5) == RESULT
    assert "NOSCRIPT" not in trigger.log()
