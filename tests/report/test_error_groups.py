"""Errors that are alike are told once."""

from __future__ import annotations

from amr.report.error_groups import ErrorGroup, group_errors
from amr.store.status import FailedTask, SkippedRecord


def failed(index: int, kind: str, where: str, message: str) -> FailedTask:
    error = {"type": kind, "message": message, "traceback": "", "worker": "w", "where": where}
    return FailedTask(index, 4, error, index, str(index))


def test_errors_of_one_type_and_place_are_one_whatever_they_say() -> None:
    failures = [
        failed(0, "HTTP 503", "classify", "busy"),
        *(failed(n, "ValueError", "f.py:3", f"{n} is odd") for n in range(1, 9)),
        failed(9, "ValueError", "f.py:7", "other"),
        SkippedRecord(2, 5, {"type": "HTTP 503", "message": "x", "where": "classify"}, None),
    ]
    assert group_errors(failures) == [
        ErrorGroup("ValueError", "f.py:3", 8, "1 is odd", tuple(f"map[{n}]" for n in range(1, 6))),
        ErrorGroup("HTTP 503", "classify", 2, "busy", ("map[0]", "map[2] record 5")),
        ErrorGroup("ValueError", "f.py:7", 1, "other", ("map[9]",)),
    ]


def test_an_error_that_came_from_no_function_has_no_place() -> None:
    dead = FailedTask(3, 4, {"type": "WorkerDied", "message": "worker w was killed"}, 3, "3")
    (group,) = group_errors([dead])
    assert (group.type, group.where, group.count) == ("WorkerDied", "", 1)
    assert group_errors([]) == []
