"""`amr trigger`: setup, run, list, remove."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import redis

from tests.conftest import NewRedis
from tests.support.cli import AMR, amr, environment
from tests.support.trigger_process import FUNCTIONS
from tests.support.wait import wait_for


def test_setup_says_created_then_updated_and_keeps_no_password(
    new_redis: NewRedis, tmp_path: Path
) -> None:
    server = new_redis(tcp=True, options=["--requirepass", "s3cret"])
    port = server.target.port
    uri = f"redis://:s3cret@127.0.0.1:{port}#inputs"
    first = amr("trigger", "setup", "demo", "--source-uri", uri, cwd=tmp_path)
    assert first.code == 0, first.err
    assert "trigger demo created" in first.err
    assert "REDIS_PASSWORD" in first.err
    text = (tmp_path / "amr.toml").read_text()
    assert "s3cret" not in text
    again = amr(
        *("trigger", "setup", "demo", "--source-uri", uri, "--functions", str(FUNCTIONS)),
        cwd=tmp_path,
        REDIS_PASSWORD="s3cret",
    )
    assert "trigger demo updated" in again.err
    listed = amr("trigger", "list", cwd=tmp_path, REDIS_PASSWORD="s3cret")
    assert "***" in listed.out
    assert "s3cret" not in listed.out
    process = subprocess.Popen(
        [*AMR, "trigger", "run", "demo", "--processes", "1"],
        cwd=tmp_path,
        env=environment(REDIS_PASSWORD="s3cret"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "trigger is up" in process.stderr.readline()
        rows = wait_for(lambda: _workers(tmp_path))
        assert rows[0]["workers"] == 1
        command = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert "s3cret" not in command
    finally:
        process.terminate()
        assert process.wait(15) == 0
        process.communicate()
    assert "deleted" in amr("trigger", "remove", "demo", cwd=tmp_path).err
    ended = amr("trigger", "remove", "demo", cwd=tmp_path)
    assert ended.code == 2


def _workers(folder: Path) -> list[dict[str, int]]:
    ended = amr("trigger", "list", "--json", cwd=folder, REDIS_PASSWORD="s3cret")
    rows: list[dict[str, int]] = json.loads(ended.out)
    return rows if rows[0]["workers"] else []


def test_an_unreachable_or_malformed_uri_is_a_clear_error(tmp_path: Path) -> None:
    ended = amr(
        "trigger", "setup", "x", "--source-uri", "redis://:pw@127.0.0.1:1#inputs", cwd=tmp_path
    )
    assert ended.code == 3
    assert "redis://:***@127.0.0.1:1#inputs: it cannot be reached" in ended.err
    ended = amr("trigger", "setup", "x", "--source-uri", "http://127.0.0.1", cwd=tmp_path)
    assert ended.code == 2
    assert not os.path.exists(tmp_path / "amr.toml")


@pytest.mark.bad_input(17)
def test_run_refuses_a_name_functions_or_lease_that_are_wrong(
    redis_url: str, tmp_path: Path
) -> None:
    for arguments, words in (
        (["nobody"], "nobody"),
        (["--functions", "nowhere"], "nowhere"),
        (["--functions", str(FUNCTIONS), "--lease", "10ms"], "too short"),
        (["--functions", str(FUNCTIONS), "--lease", "soon"], "soon"),
    ):
        ended = amr("trigger", "run", *arguments, cwd=tmp_path, AMR_REDIS_URL=redis_url)
        assert ended.code == 2
        assert words in ended.err


def test_a_name_that_is_refused_leaves_nothing_in_redis(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    stream = redis_url.partition("#")[2]
    ended = amr("trigger", "setup", "a b", "--source-uri", redis_url, cwd=tmp_path)
    assert ended.code == 2
    assert "cannot name a trigger" in ended.err
    assert redis_client.keys(f"*{stream}*") == []
    assert not (tmp_path / "amr.toml").exists()
    assert amr("trigger", "setup", "a_b", "--source-uri", redis_url, cwd=tmp_path).code == 0
    assert len(redis_client.keys(f"*{stream}*")) == 1


def test_a_trigger_that_cannot_be_asked_does_not_hide_the_others(
    redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "amr.toml").write_text(
        f"""
        [trigger.good]
        source_uri = "{redis_url}"
        [trigger.away]
        source_uri = "redis://:s3cret@127.0.0.1:1#inputs"
        [trigger.unset]
        source_uri = "redis://:$NOT_SET_ANYWHERE@127.0.0.1:1#inputs"
        """
    )
    ended = amr("trigger", "list", "--json", cwd=tmp_path)
    assert ended.code == 0
    good, away, unset = json.loads(ended.out)
    assert (good["name"], good["workers"], good["problem"]) == ("good", 0, None)
    assert "cannot be reached" in away["problem"]
    assert "NOT_SET_ANYWHERE" in unset["problem"]
    assert "s3cret" not in ended.out


def test_list_needs_no_amr_toml(redis_url: str, tmp_path: Path) -> None:
    rows = json.loads(amr("trigger", "list", "--json", cwd=tmp_path, AMR_REDIS_URL=redis_url).out)
    assert [(row["name"], row["workers"], row["lag"]) for row in rows] == [("", 0, 0)]


def test_an_unknown_trigger_is_told_with_the_nearest_name(redis_url: str, tmp_path: Path) -> None:
    amr("trigger", "setup", "orders", "--source-uri", redis_url, cwd=tmp_path)
    for command in ("run", "remove"):
        ended = amr("trigger", command, "ordres", cwd=tmp_path)
        assert ended.code == 2
        assert 'did you mean "orders"?' in ended.err
