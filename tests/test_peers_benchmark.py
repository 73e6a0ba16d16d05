"""The comparison with other systems: its limits and its tables; none of those systems is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks.peers.hosts import Host, PeerError
from benchmarks.peers.interface import ROOT
from benchmarks.peers.limits import Growth
from benchmarks.peers.orders import Order
from benchmarks.peers.processes import descendants
from benchmarks.peers.runner import Runner
from benchmarks.peers.table import tables

# Answers as a host does: tells of itself, measures small jobs in 2 s, and hangs at large ones.
_HOST = """
import json, sys, time
for line in sys.stdin:
    request = json.loads(line)
    size = request.get("order", {}).get("size", 0)
    if size == 13:
        answer = {"error": "OSError: no luck"}
    elif size > 100:
        time.sleep(60)
    else:
        answer = {
            "setup": "of the test", "survives_client": True, "versions": {"it": "1"},
            "workloads": ["noop", "wait"], "figures": {"seconds": 2.0},
        }
    print(json.dumps(answer), flush=True)
"""


# Starts a process that leaves its parent's session, as some systems do.
_STARTING_HOST = (
    'import subprocess\nsubprocess.Popen(["sleep", "60"], start_new_session=True)' + _HOST
)

# Runs in a process of its own, for it takes in what the host leaves behind.
_RUN = """
import os, sys
from benchmarks.peers.hosts import Host, TimeLimitError
from benchmarks.peers.processes import adopt_orphans, descendants
adopt_orphans()
with Host([sys.executable, "-c", sys.argv[1]], {}, set()) as host:
    assert host.ask({"do": "describe"}, 30)["survives_client"]
    assert len(descendants(os.getpid())) == 2
    try:
        host.ask({"do": "measure", "order": {"size": 1000}}, 0.1)
    except TimeLimitError:
        print("too long")
print(descendants(os.getpid()))
"""


def _host(script: str = _HOST) -> Host:
    return Host([sys.executable, "-c", script], {}, spared=descendants(os.getpid()))


def test_a_host_that_takes_too_long_is_ended_with_all_that_it_started() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _RUN, _STARTING_HOST],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "too long\nset()\n"


def test_a_host_that_ends_tells_its_last_line() -> None:
    broken = _host("import sys; sys.exit('nothing works')")
    with broken as host, pytest.raises(PeerError, match="its process ended: nothing works"):
        host.ask({"do": "describe"}, 30)


@pytest.mark.parametrize(
    ("limit_s", "objection"),
    [
        (20.0, None),
        (19.0, "1,000 took 2.0 s, so that these would take over 19 s"),
        (1.0, "1,000 did not end within 1 s, or failed"),
    ],
)
def test_a_larger_size_is_run_only_where_a_smaller_one_promises_an_end(
    limit_s: float, objection: str | None
) -> None:
    growth = Growth(limit_s)
    larger = Order("noop", 10_000, grows=True)
    assert growth.objection(larger) is None
    growth.keep(Order("noop", 1_000), [{"seconds": 1.0}, {"seconds": 9.0}, {"seconds": 2.0}])
    assert growth.objection(larger) == objection
    assert growth.objection(Order("wait", 10_000)) is None


def test_no_size_follows_one_that_did_not_end() -> None:
    growth = Growth(30.0)
    growth.keep(Order("noop", 1_000), None)
    assert growth.objection(Order("noop", 10_000, grows=True)) is not None


def test_what_a_system_cannot_do_does_not_stop_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "of_peer", lambda *_: _host())
    orders = [
        Order("noop", 13),
        Order("noop", 1000),
        Order("noop", 10_000, grows=True),
        Order("wait", 5),
        Order("words", 5),
    ]
    lines = list(Runner({}, 0.5, set()).lines("it", orders))
    assert [line.get("workload") for line in lines] == [None, "noop", "noop", "noop", "wait"]
    assert lines[1]["failed"] == "OSError: no luck"
    assert lines[2]["not_run"] == "more than 0.5 s"
    assert lines[3]["not_run"] == "1,000 did not end within 0.5 s, or failed"
    assert (lines[4]["median"], lines[4]["runs"], lines[4]["versions"]) == (2.0, 3, {"it": "1"})


def test_the_tables_show_medians_spreads_and_what_is_missing() -> None:
    noop = {"workload": "noop", "size": 1_000, "task_ms": 0}
    rate = {"figure": "tasks_per_s", "median": 1234.5, "low": 1000.0, "high": 2000.4, "runs": 3}
    pi = {"workload": "pi", "size": 8, "task_ms": 50}
    lines = [
        {"peer": "a", "setup": "as it is", "survives_client": False, "versions": {"a": "1.0"}},
        {"peer": "a", **noop, **rate},
        {"peer": "b", **noop, "not_run": "more than 90 s"},
        {"peer": "b", **pi, "failed": "ValueError: no"},
    ]
    shown = tables(json.loads(json.dumps(lines))).splitlines()
    assert "| system | 1,000 no-op, tasks/s |" in shown
    assert "| a | 1,234 (1,000–2,000) |" in shown
    assert "| b | not run |" in shown
    assert "| b | failed |" in shown
    assert "- b noop 1,000: not run: more than 90 s" in shown
    assert "- b pi 8 of 50 ms: failed: ValueError: no" in shown
    assert "| a | a 1.0 | no | as it is |" in shown
