"""Records of files: whole, in splits of any size, compressed, and broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amr.jobspec.sources import Inputs, parse_source
from amr.sources.expand import expand, expected_items
from amr.sources.records import RecordReader
from amr.sources.splits import Split, read_split
from amr.storage.info import SourceError

NO_RESET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def items(source: Inputs) -> list[Any]:
    """Returns the items of a source, those of its splits as workers read them."""
    found: list[Any] = []
    for item in expand(source, lambda job: [f"output of {job}"]):
        if isinstance(item, Split):
            document = json.loads(json.dumps(item.document()))
            found += RecordReader(read_split(document)).values()
        else:
            found.append(item)
    return found


def read(**source: Any) -> list[Any]:
    return items(parse_source(source))


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)


@NO_RESET
@given(lines=st.lists(TEXT, max_size=40), split=st.integers(1, 60), ends=st.booleans())
def test_lines_are_the_same_whatever_the_splits(
    tmp_path: Path, lines: list[str], split: int, ends: bool
) -> None:
    path = tmp_path / "x.txt"
    text = "\n".join(lines) + ("\n" if ends and lines else "")
    path.write_bytes(text.encode())
    expected = text.removesuffix("\n").split("\n") if text else []
    assert read(lines=str(path)) == expected
    assert read(lines=str(path), split=split) == expected


@NO_RESET
@given(
    values=st.lists(st.recursive(st.none() | st.integers(-9, 9) | TEXT, st.lists), max_size=20),
    split=st.integers(1, 50),
)
def test_json_lines_are_the_same_whatever_the_splits(
    tmp_path: Path, values: list[Any], split: int
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(value) + "\n\n" for value in values))
    assert read(jsonl=str(path)) == values
    assert read(jsonl=str(path), split=split) == values


CELL = st.text(st.sampled_from('ab,;"\n é'), max_size=5)


@NO_RESET
@given(rows=st.lists(st.tuples(CELL, CELL), max_size=25), split=st.integers(1, 60))
def test_rows_with_line_breaks_in_cells_are_the_same_whatever_the_splits(
    tmp_path: Path, rows: list[tuple[str, str]], split: int
) -> None:
    path = tmp_path / "x.csv"
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("a", "b"), *rows])
    path.write_bytes(text.getvalue().encode())
    expected = [{"a": a, "b": b} for a, b in rows]
    assert read(csv=str(path)) == expected
    assert read(csv=str(path), split=split) == expected


def test_a_large_csv_is_cut_at_rows_over_chunks_of_reading(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    row = '"' + "x\n" * 200 + '",1\n'
    path.write_text("text,n\n" + row * 10_000)
    source = parse_source({"csv": str(path), "split": "300kB"})
    splits = list(expand(source, lambda _: ()))
    assert [one.start for one in splits[1:]] == [one.end for one in splits[:-1]]
    assert all(300_000 <= one.end - one.start < 300_000 + len(row) for one in splits[:-1])
    assert sum(len(list(RecordReader(one).raws())) for one in splits) == 10_000


def test_the_splits_of_a_file_of_100_mb_in_16_mb_are_7(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("".join(f"{n:07}" + "x" * 1013 + "\n" for n in range(97_943)))
    assert path.stat().st_size > 99_999_000
    splits = list(expand(parse_source({"lines": str(path), "split": "16MB"}), lambda _: ()))
    assert len(splits) == 7
    lines = [line for split in splits for line in RecordReader(split).values()]
    assert {len(line) for line in lines} == {1020}
    assert [int(line[:7]) for line in lines] == list(range(97_943))


def test_options_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\ufeffn;yes;what;j\n1;true;'a;b';[1]\n;0;;\n")
    types = {"n": "int", "yes": "bool", "j": "json"}
    rows = read(csv=str(path), delimiter=";", quote="'", types=types)
    assert rows == [
        {"n": 1, "yes": True, "what": "a;b", "j": [1]},
        {"n": None, "yes": False, "what": "", "j": None},
    ]
    assert read(csv=str(path), delimiter=";", quote="'", header=False)[1][2] == "a;b"
    named = read(csv=str(path), delimiter=";", quote="'", header=["p", "q", "r", "s"])
    assert named[1]["p"] == "1"


def test_compressed_files_are_one_split_each(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    text = b"".join(b"line %d\n" % n for n in range(5000))
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text))
    (tmp_path / "b.txt.zst").write_bytes(zstandard.compress(text))
    source = {"lines": str(tmp_path / "*.txt.*"), "split": 100}
    splits = list(expand(parse_source(source), lambda _: ()))
    assert len(splits) == 2
    assert read(**source) == text.decode().splitlines() * 2


def test_parquet_is_read_by_row_groups(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    table = pyarrow.table({"n": list(range(1000)), "text": [f"t{n}" for n in range(1000)]})
    parquet.write_table(table, path, row_group_size=100)
    assert read(parquet=str(path)) == table.to_pylist()
    source = parse_source({"parquet": str(path), "split": 2500})
    assert 2 < len(list(expand(source, lambda _: ()))) <= 10
    assert items(source) == table.to_pylist()


def test_files_patterns_products_and_chains(tmp_path: Path) -> None:
    for name, size in (("b.bin", 2), ("a.bin", 1), ("sub/c.bin", 3)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * size)
    files = read(files=str(tmp_path / "**" / "*.bin"))
    assert [(Path(file["path"]).name, file["size"]) for file in files] == [
        ("a.bin", 1),
        ("b.bin", 2),
        ("c.bin", 3),
    ]
    assert read(product=[{"range": 2}, ["x", "y"]]) == [[0, "x"], [0, "y"], [1, "x"], [1, "y"]]
    assert read(product={"n": {"range": [5, 7]}, "j": {"job": "A"}}) == [
        {"n": 5, "j": "output of A"},
        {"n": 6, "j": "output of A"},
    ]
    assert read(chain=[[1], {"range": [9, 5, -2]}]) == [1, 9, 7]
    counted = [parse_source({"range": [9, 5, -2]}), parse_source({"job": "A"}), [1, 2, 3]]
    assert [expected_items(source) for source in counted] == [2, 0, 3]


@pytest.mark.parametrize(
    ("content", "source", "message"),
    [
        (b'{"a": 1}\n{"a"\n', {"jsonl": "x"}, r"x byte 9: not JSON"),
        (b"ok\n\xff\n", {"lines": "x"}, r"x byte 3: 0xff is not UTF-8"),
        (b"a,b\n1\n", {"csv": "x"}, r"byte 4: a row of 1 cells, where the header has 2"),
        (b"a,a\n", {"csv": "x"}, "has a twice"),
        (b"", {"csv": "x"}, "no header row"),
        (b"a\nx\n", {"csv": "x", "types": {"a": "int"}}, "column 'a' is to be int, found 'x'"),
        (b"a\n1\n", {"csv": "x", "types": {"b": "int"}}, "no column 'b'"),
        (b'a\n"1', {"csv": "x"}, "unexpected end"),
        (b"x", {"lines": "nothing*"}, "matches no file"),
        (b"x", {"lines": "nothing"}, "there is no such file"),
        (b"x", {"lines": "."}, "is a directory"),
    ],
)
def test_what_is_broken_is_told_with_its_place(
    tmp_path: Path, content: bytes, source: dict[str, Any], message: str
) -> None:
    (tmp_path / "x").write_bytes(content)
    described = parse_source(source)
    assert not isinstance(described, list)
    with pytest.raises(SourceError, match=message):
        items(described.under(tmp_path))


def test_a_broken_record_keeps_nobody_from_those_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1\n{\n3\n")
    (split,) = expand(parse_source({"jsonl": str(path), "split": 100}), lambda _: ())
    reader = RecordReader(split)
    raws = list(reader.raws())
    assert [reader.value(raws[at]) for at in (0, 2)] == [1, 3]


def test_a_worker_that_does_not_have_the_file_says_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1\n")
    (split,) = expand(parse_source({"lines": str(path), "split": 100}), lambda _: ())
    path.unlink()
    with pytest.raises(SourceError, match="a folder that the workers share"):
        list(RecordReader(split).values())


@pytest.mark.parametrize("kind", ["lines", "jsonl", "csv"])
def test_a_file_may_grow_but_not_shrink_while_a_job_reads_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1\n2\n3\n4\n5\n6\n")
    source = parse_source(
        {kind: str(path), "split": 6} | ({"header": False} if kind == "csv" else {})
    )
    splits = [each for each in expand(source, lambda job: []) if isinstance(each, Split)]
    before = [list(RecordReader(split).values()) for split in splits]
    with path.open("a") as file:
        file.write("7\n")
    assert [list(RecordReader(split).values()) for split in splits] == before
    path.write_text("1\n2\n")
    with pytest.raises(SourceError, match="has 4 bytes; it had 12 when the job was submitted"):
        list(RecordReader(splits[0]).values())
