"""Part files: whole, in the format of their ending, and one for each reduce task."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from amr import wire
from amr.client import Client
from amr.errors import JobFailedError
from amr.sinks.formats import encode
from tests.mapreduce.conftest import Run


def rows(part: dict[str, Any]) -> list[Any]:
    data = Path(part["path"]).read_bytes()
    assert len(data) == part["bytes"]
    if part["path"].endswith(".gz"):
        data = gzip.decompress(data)
    text = data.decode()
    if ".csv" in part["path"]:
        return [[word, int(count)] for word, count in csv.reader(text.splitlines())]
    return (
        json.loads(text)
        if ".json" in part["path"] and text.startswith("[[")
        else [json.loads(line) for line in text.splitlines()]
    )


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "jsonl.gz"])
def test_each_partition_writes_its_part(run: Run, text: Path, tmp_path: Path, ending: str) -> None:
    output = str(tmp_path / "out" / "{name}" / ("part-{partition:03}." + ending))
    result = run(
        "shapes.words",
        {"lines": str(text), "split": "10kB"},
        reducer="amr.sum",
        shuffle={"partitions": 4},
        output=output,
        name="word count",
    )
    parts = result["parts"]
    assert [Path(part["path"]).name for part in parts] == [f"part-00{n}.{ending}" for n in range(4)]
    assert Path(parts[0]["path"]).parent.name == "word-count"
    words = [[row[0] for row in rows(part)] for part in parts]
    assert words == [sorted(each) for each in words]
    found = [row for part in parts for row in rows(part)]
    assert dict(map(tuple, found)) == Counter(text.read_text().split())
    assert sum(part["outputs"] for part in parts) == len(found)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_reducer_and_mappers_without_one_write_files_too(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "{job}.json")
    (part,) = run("shapes.double", {"range": 3}, reducer="amr.list", output=path)["parts"]
    assert json.loads(Path(part["path"]).read_text()) == [0, 2, 4]
    run("shapes.double", {"range": 3}, reducer="amr.sum", output=str(tmp_path / "sum.json"))
    assert json.loads((tmp_path / "sum.json").read_text()) == 6
    path = str(tmp_path / "{job}-{partition}.jsonl")
    parts = run("shapes.double", {"range": 5}, batch=2, output=path)["parts"]
    assert [part["outputs"] for part in parts] == [2, 2, 1]
    lines = [Path(part["path"]).read_text() for part in parts]
    assert lines == ["0\n2\n", "4\n6\n", "8\n"]


def test_failures_are_collected_beside_the_parts(run: Run, tmp_path: Path) -> None:
    result = run(
        "shapes.broken_at_7",
        [6, 7],
        output=str(tmp_path / "{partition}.jsonl"),
        on_failure="collect",
        retry={"max_attempts": 1},
    )
    assert [part["outputs"] for part in result["parts"]] == [1]
    assert result["failures"]["count"] == 1


def test_a_part_that_is_there_already_is_replaced_unless_it_is_of_this_job(
    client: Client, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_text("old")
    spec = {"mapper": "shapes.same", "inputs": [1], "reducer": "amr.list"}
    job = client.invoke(spec | {"output": str(tmp_path / "x.json")})
    job.result(60)
    assert (tmp_path / "x.json").read_text() == "[1]\n"
    (tmp_path / "mine.json").write_text("[7]\n")
    client.invoke(spec | {"output": str(tmp_path / "{job}.json")}, id="mine").result(60)
    assert (tmp_path / "mine.json").read_text() == "[7]\n"


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "jsonl.gz", "csv.gz"])
@pytest.mark.parametrize("outputs", [[], [["x"], ['two\n"lines"', None]], [{"a": 1}, {"a": "\n"}]])
def test_what_is_told_of_a_part_is_of_the_execution_that_wrote_it(
    run: Run, tmp_path: Path, ending: str, outputs: list[Any]
) -> None:
    path = tmp_path / f"{{job}}.{ending}"
    job = tmp_path.name  # no other test's
    file = Path(str(path).format(job=job))
    file.write_bytes(b"".join(encode(map(wire.dumps, outputs), str(file))))
    own = [{"a": n} for n in range(9)] if outputs and isinstance(outputs[0], dict) else [[1]] * 9
    (told,) = run("shapes.same", own, reducer="amr.list", output=str(path), id=job)["parts"]
    assert told == {"path": str(file), "outputs": len(outputs), "bytes": file.stat().st_size}


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"[1]")[:-9]])
def test_a_part_that_is_there_already_and_is_none_fails_the_job(
    run: Run, tmp_path: Path, data: bytes
) -> None:
    job = tmp_path.name
    (tmp_path / f"{job}.json.gz").write_bytes(data)
    retry = {"max_attempts": 1}
    path = str(tmp_path / "{job}.json.gz")
    with pytest.raises(JobFailedError, match=r"\.json\.gz is there already, and is no such part"):
        run("shapes.same", [1], reducer="amr.list", output=path, id=job, retry=retry)


def test_a_redrive_writes_the_parts_of_all_the_data(client: Client, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed"
    spec = {
        "mapper": "shapes.until_exists",
        "inputs": [[str(fixed), line] for line in ("a b", "bad a")],
        "reducer": "amr.sum",
        "shuffle": {"partitions": 2},
        "output": str(tmp_path / "{job}-{partition}.jsonl"),
        "on_failure": "collect",
    }
    job = client.invoke(spec)

    def counts() -> dict[str, int]:
        return dict(row for part in job.result(60)["parts"] for row in rows(part))

    assert counts() == {"a": 1, "b": 1}
    fixed.touch()
    job.redrive()
    assert counts() == {"a": 2, "b": 1, "bad": 1}


def test_a_folder_that_cannot_be_written_fails_the_job(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / "file" / "x.json")
    with pytest.raises(JobFailedError, match=r"x\.json cannot be written"):
        run("shapes.same", [1], reducer="amr.list", output=path, retry={"max_attempts": 1})


def test_rows_of_csv_have_the_same_columns(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "x.csv")
    inputs = [{"a": 1, "b": [2]}, {"b": None, "a": "x,y"}]
    result = run("shapes.same", inputs, reducer="amr.list", output=path)
    assert result["parts"][0]["outputs"] == 2
    assert Path(path).read_text() == 'a,b\n1,[2]\n"x,y",\n'
    with pytest.raises(JobFailedError, match="the same columns"):
        run("shapes.same", [{"a": 1}, {"b": 1}], reducer="amr.list", output=path)
    with pytest.raises(JobFailedError, match="a list or an object"):
        run("shapes.same", [1], reducer="amr.list", output=path)


@pytest.mark.bad_input(44)
def test_text_that_a_spreadsheet_would_run_is_written_as_text(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "x.csv")
    row = ["=cmd|' /C calc'!A0", "+1+1", "@sum", "-5", "+1e3", -7, 1.5, "plain"]
    run("shapes.same", [row], reducer="amr.list", output=path)
    (found,) = csv.reader(Path(path).read_text().splitlines())
    assert found == ["'=cmd|' /C calc'!A0", "'+1+1", "'@sum", "-5", "+1e3", "-7", "1.5", "plain"]
