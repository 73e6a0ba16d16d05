"""amr.run: a job on a private Redis that leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest

import amr
from tests.functions import faulty
from tests.support.trigger_process import FUNCTIONS


@pytest.fixture(autouse=True)
def private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_plain_functions_are_called_by_other_processes() -> None:
    spec = {"mapper": faulty.double, "reducer": faulty.total, "inputs": [1, 2, 3]}
    assert amr.run(spec, processes=1) == {"sum": 12, "count": 3}


def test_functions_may_be_listed_or_be_a_directory() -> None:
    spec = {"mapper": "double", "inputs": [1]}
    assert amr.run(spec, functions=[faulty.double], processes=1) == [2]
    spec = {"mapper": "faulty.double", "inputs": []}
    assert amr.run(spec, functions=FUNCTIONS, inputs=iter([4, 5]), processes=1) == [8, 10]


def test_a_function_that_others_cannot_import_is_refused() -> None:
    with pytest.raises(amr.FunctionsError, match="top level"):
        amr.run({"mapper": lambda body: body, "inputs": [1]})


def test_an_unknown_function_is_refused_before_anything_starts() -> None:
    with pytest.raises(amr.JobSpecError, match=r"faulty\.double"):
        amr.run({"mapper": "faulty.dubble", "inputs": [1]}, functions=FUNCTIONS)


def test_nothing_is_left_after_success_failure_and_timeout(private_folder: Path) -> None:
    def children() -> list[str]:
        file = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children")
        return file.read_text().split()

    before = children()
    amr.run({"mapper": faulty.noop, "inputs": [1]}, processes=1)
    with pytest.raises(amr.JobFailedError):
        amr.run({"mapper": faulty.odd, "inputs": [1]}, processes=1)
    with pytest.raises(amr.WaitTimeoutError):
        amr.run({"mapper": faulty.sleep, "inputs": [60]}, processes=1, timeout=0.5)
    assert children() == before
    assert not list(private_folder.glob("amr-redis-*"))


def test_it_runs_on_any_thread() -> None:
    results: list[object] = []
    spec = {"mapper": faulty.double, "inputs": [1]}
    thread = threading.Thread(target=lambda: results.append(amr.run(spec, processes=1)))
    thread.start()
    thread.join(30)
    assert results == [[2]]
