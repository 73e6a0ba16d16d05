"""The tasks that a worker has taken and not started."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from amr.task import Task


class Hand:
    """Tasks in the order they are to run. Two threads may take from it: each task goes to one."""

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque()

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, tasks: Iterable[Task]) -> None:
        """Puts tasks behind the others."""
        self._tasks.extend(tasks)

    def put_back(self, task: Task) -> None:
        """Puts a task that could not be started before the others."""
        self._tasks.appendleft(task)

    def take(self) -> Task | None:
        """Takes the next task out, or None when there is none."""
        try:
            return self._tasks.popleft()
        except IndexError:
            return None

    def take_all(self) -> list[Task]:
        """Takes every task out."""
        tasks = []
        while (task := self.take()) is not None:
            tasks.append(task)
        return tasks

    def entries(self) -> set[bytes]:
        """Returns the entry ids of the tasks."""
        return {task.entry_id for task in list(self._tasks)}
