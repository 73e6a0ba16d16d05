"""Jobs with a task that straggles until a test says what becomes of each of its executions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amr.job_handle import Job
from amr.states import JobState
from tests.support.fault_case import FaultCase
from tests.support.wait import wait_for

#: Of each kind of straggler the job, its result, and what its functions count.
KINDS: dict[str, tuple[dict[str, Any], Any, dict[str, int]]] = {
    "map": ({"mapper": "held.mapped"}, list(range(5)), {"mapped": 5}),
    "reduce": (
        {
            "mapper": "held.pairs",
            "inputs": {"range": 6},
            "reducer": "held.total",
            "shuffle": {"partitions": 3, "partitioner": "range"},
        },
        [[key, 1] for key in range(6)],
        {"keys": 6},
    ),
    "runs": (
        {
            "mapper": "held.runs",
            "reducer": "amr.count",
            "shuffle": {"partitions": 2, "partitioner": "range"},
        },
        [[key, 2400] for key in range(5)],
        {"mapped": 3},
    ),
}
KINDS["stored"] = KINDS["runs"]  # in a store, and not in Redis


class Straggler:
    """A job of which one task waits to be told how to end.

    Args:
        case: where it is submitted.
        kind: of the task: ``map`` or ``reduce``.
        directory: for the files by which its executions are told.
        state: in which the job must end.
        fields: of the job.
    """

    def __init__(
        self,
        case: FaultCase,
        kind: str,
        directory: Path,
        *,
        state: JobState = JobState.SUCCEEDED,
        **fields: Any,
    ) -> None:
        self._folder = directory / kind
        self._folder.mkdir()
        of_kind, result, self._counters = KINDS[kind]
        document = {"retry": {"backoff": "10ms"}} | of_kind | fields
        if kind == "reduce":
            document["reduce"] = {"folder": str(self._folder)}
        else:
            count = self._counters["mapped"]
            document["inputs"] = [str(self._folder), *range(1, count)]
        if kind == "stored":
            document["shuffle"] = document["shuffle"] | {"store": str(self._folder / "store")}
        self.job: Job = case.submit(document, result, state=state)

    def pid(self, execution: int) -> int:
        """Returns the process of an execution, counted from 1; or 0 when it has not begun."""
        file = self._folder / f"began-{execution}"
        return int(file.read_text() or 0) if file.exists() else 0

    def wait_for_backup(self) -> None:
        """Waits until two executions run."""
        wait_for(lambda: self.pid(2), what="a backup")

    def tell(self, execution: int, what: str = "return") -> None:
        """Lets an execution ``return``, ``die``, ``fail`` or ``fail for good``."""
        aside = self._folder / "aside"
        aside.write_text(what)
        aside.replace(self._folder / str(execution))

    def check_counted_once(self, *, is_backed_up: bool = False) -> None:
        """Waits for the end and asserts that no counter was counted by two executions."""
        status = self.job.wait(30)
        assert (status.backups > 0, status.counters) == (is_backed_up, self._counters)

    def stored(self) -> int:
        """Returns the number of files with runs."""
        return len(list(self._folder.rglob("*.runs")))
