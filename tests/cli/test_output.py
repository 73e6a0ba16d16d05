"""Results on stdout or in a file; everything else on stderr, and safe for a terminal."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from amr.cli.output import check_output, put_result, say
from amr.errors import SettingsError


def test_what_is_said_keeps_its_lines_and_loses_its_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("one\x1b[31m\n  two\x07")
    shown = capsys.readouterr()
    assert shown.err == "one\\x1b[31m\n  two\\x07\n"
    assert shown.out == ""


def test_a_result_takes_the_place_of_a_file_whole(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    file.write_text("old and longer than the result")
    put_result(b"[1]", file)
    assert file.read_bytes() == b"[1]\n"
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    put_result(b"[1]", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"[1]\n"


def test_a_pipe_or_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    check_output(pipe)
    put_result(b"[1]", pipe)
    reader.join(10)
    assert read == [b"[1]\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no directory"):
        check_output(tmp_path / "nowhere" / "out.json")
    with pytest.raises(SettingsError, match="is a directory"):
        check_output(tmp_path)
    check_output(tmp_path / "out.json")
    check_output(None)
