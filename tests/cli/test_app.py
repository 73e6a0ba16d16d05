"""What holds for every command: help, versions, closed pipes, and how --wait is read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from amr import __version__
from amr.cli.invoke import spread
from tests.support.cli import AMR, ROOT, amr, environment
from tests.support.trigger_process import FUNCTIONS

COMMANDS = (
    *("run", "up", "invoke", "logs", "status", "list", "result", "failures", "cancel", "schema"),
    *("task", "redrive", "replay", "pause", "resume", "update", "prune"),
    *("doctor", "version", "functions list", "functions check", "functions invoke"),
    *("trigger run", "trigger setup", "trigger list", "trigger workers", "trigger remove"),
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--wait", "30s"], ["--wait", "--timeout", "30s"]),
        (["--wait=30s"], ["--wait", "--timeout", "30s"]),
        (["--wait", "1m30s"], ["--wait", "--timeout", "1m30s"]),
        (["--wait", "--timeout", "30s"], ["--wait", "--timeout", "30s"]),
        (["--wait", "job.json"], ["--wait", "job.json"]),
        (["job.json", "--wait"], ["job.json", "--wait"]),
        (["30s"], ["30s"]),
        (["--only", "3", "5,7", "j"], ["--only", "3", "--only", "5,7", "j"]),
    ],
)
def test_options_of_several_values_are_spread(given: list[str], expected: list[str]) -> None:
    assert spread(given) == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    ended = amr(*command.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    assert f"Usage: python -m amr.cli.app {command}" in ended.out


def test_the_version_is_a_command_and_an_option() -> None:
    assert amr("version").out == amr("--version").out == f"amr {__version__}\n"


@pytest.mark.parametrize("arguments", [["schema"], ["functions", "list"]])
def test_a_reader_that_has_enough_is_no_error(arguments: list[str]) -> None:
    with subprocess.Popen(
        [*AMR, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_function_called_here_shows_its_lines_and_counters_on_stderr(tmp_path: Path) -> None:
    called = ("functions", "invoke", "faulty.talk", "--functions", str(FUNCTIONS))
    ended = amr(*called, "--json", '"\\u001b[31m"')
    assert (ended.code, ended.out) == (0, '"\\u001b[31m"\n')
    assert "warning: warned \\x1b[31m" in ended.err
    assert "counter talks: 1" in ended.err
    (tmp_path / "body.json").write_text("7")
    assert amr(*called, "--json", f"@{tmp_path / 'body.json'}").out == "7\n"
    assert amr(*called, "--json", "-", stdin="8").out == "8\n"
    ended = amr(*called, "--json", "{")
    assert ended.code == 2
    assert "--json" in ended.err
