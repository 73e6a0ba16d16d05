"""The contract of services: started once, stopped at any time, outliving errors."""

from __future__ import annotations

import logging
import threading

import pytest

from amr.service import PeriodicService
from tests.support.wait import wait_for


def test_a_service_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def body() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("once")

    service = PeriodicService("test", body, 0.001)
    with caplog.at_level(logging.WARNING):
        service.start()
        wait_for(lambda: len(calls) > 3)
    service.stop()
    assert "test: ValueError: once" in caplog.text


def test_stopping_twice_or_before_the_start_does_no_harm() -> None:
    service = PeriodicService("test", lambda: None, 10.0)
    service.stop()
    service.start()
    service.stop()
    assert not service.started(0)


def test_stop_does_not_wait_for_the_interval() -> None:
    service = PeriodicService("test", lambda: None, 600.0)
    service.start()
    assert service.started(5)
    service.stop()
    assert not [t for t in threading.enumerate() if t.name == "amr-test"]


def test_a_body_may_say_when_it_is_called_next() -> None:
    calls: list[int] = []

    def body() -> float:
        calls.append(1)
        return 0.001

    service = PeriodicService("test", body, 600.0)
    service.start()
    wait_for(lambda: len(calls) > 3)
    service.stop()
