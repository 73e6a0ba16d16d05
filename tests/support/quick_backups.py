"""Lets a trigger start backups early, so that tests of them take less time.

``QUICK_BACKUPS`` in the environment asks for it; tests/support/crash_hook lets every Python process
look at that which a test starts.
"""

from __future__ import annotations

import os

#: Seconds after which a task is a straggler, and between two looks.
LEAST_S, EVERY_S = 1.0, 0.1


def install() -> None:
    """Hooks this process, if its environment asks for it."""
    if "QUICK_BACKUPS" in os.environ:
        from amr.trigger import backups, supervisor

        backups.LEAST_S = LEAST_S
        supervisor._BACK_UP_EVERY_S = EVERY_S
