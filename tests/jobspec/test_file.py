import errno
import gc
import io
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amr.errors import JobSpecError
from amr.jobspec.file import MAX_DEPTH, load_job, parse_json
from amr.jobspec.job import JobSpec, parse_job

JOBS = Path(__file__).parents[2] / "jobs"

JOB = b'{"mapper": "m", "inputs": [1, {"a": "b"}]}'


def refusal(data: bytes) -> str:
    with pytest.raises(JobSpecError) as caught:
        parse_json(data)
    assert len(str(caught.value)) < 300
    return "\n".join(str(problem) for problem in caught.value.problems)


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"[]" + b"}" * (levels - 1)


def test_a_file_is_read_as_a_job(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(JOB)
    assert load_job(path).inputs == [1, {"a": "b"}]
    assert load_job(str(path)) == load_job(path)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(JOB)))
    assert load_job("-").mapper == "m"


def test_a_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(JobSpecError, match=r"standard input: \$: cannot be read"):
        load_job("-")


def test_the_classic_job_is_ten_times_a_thousand_points() -> None:
    spec = load_job(JOBS / "pi.json")
    assert (spec.mapper, spec.reducer) == ("public_compute_pi_mapper", "public_compute_pi_reducer")
    assert spec.inputs == [1000] * 10
    assert spec.reduce == {"points": sum(spec.inputs)}


def test_the_large_job_is_four_hundred_times_a_quarter_million_points() -> None:
    spec = load_job(JOBS / "pi-large.json")
    assert (spec.mapper, spec.reducer, spec.name) == ("pi.mapper", "pi.reducer", "pi-large")
    assert spec.inputs == [250_000] * 400
    assert spec.reduce == {"points": sum(spec.inputs)}


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none.json", "no such file"),
        (tmp_path, "is a directory"),
        (tmp_path / ("x" * 5000), "cannot be read"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(JobSpecError, match=reason) as caught:
            load_job(path)
        assert caught.value.source == str(path)


def test_a_file_without_permission_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # A file mode would not do: root may read every file.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(JobSpecError, match="cannot be read: Permission denied"):
        load_job("job.json")


@pytest.mark.bad_input(1)
@pytest.mark.parametrize("data", [b"", b" \r\n\t"])
def test_an_empty_file_is_said_to_be_empty(data: bytes) -> None:
    assert refusal(data) == "$: is empty"


@pytest.mark.bad_input(3)
@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_other_encodings_are_named(encoding: str, name: str) -> None:
    message = refusal(JOB.decode().encode(encoding))
    assert "expected UTF-8" in message
    assert name in message


def test_a_byte_that_is_not_utf_8_is_shown_with_its_place() -> None:
    assert "found the byte 0xff at line 2, column 9" in refusal('{\n  "é": "'.encode() + b'\xff"}')


def test_any_text_in_utf_8_is_read() -> None:
    assert parse_json('{"é": "漢字\U0001f967"}'.encode()) == {"é": "漢字\U0001f967"}


@pytest.mark.bad_input(2)
def test_truncated_json_is_said_to_be_so_with_line_and_column() -> None:
    assert "truncated" in refusal(JOB[:-3])
    assert "line 3, column 5" in refusal(b'{"mapper":\n "m", "inputs":\n [1,')


def test_broken_json_has_its_line_and_column() -> None:
    assert "line 2, column 6" in refusal(b'{"mapper":\n "m" "inputs": []}')


@pytest.mark.bad_input(5)
@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("text", ['{"a": %s}', "[1,%s]", "%s"])
def test_numbers_that_json_does_not_have_are_named(literal: str, text: str) -> None:
    assert f"has {literal} at line 1" in refusal((text % literal).encode())


@pytest.mark.parametrize(
    "number", [b"1e999", b"-1e999", pytest.param(b"1" * 10_000 + b".5", id="10,000 digits")]
)
def test_floats_that_do_not_fit_are_refused(number: bytes) -> None:
    assert "beyond 64 bits" in refusal(b"[" + number + b"]")


@pytest.mark.bad_input(7)
@pytest.mark.parametrize(
    "number",
    [
        b"18446744073709551616",
        b"-9223372036854775809",
        pytest.param(b"1" * 10_000, id="10,000 digits"),
        pytest.param(b"-" + b"9" * 1_000_000, id="1,000,000 digits"),
    ],
)
@pytest.mark.parametrize("text", [b"[0,\n  %s]", b'{"a":\n  %s }', b"[\n[%s\n]]"])
def test_integers_beyond_64_bits_are_refused_with_their_line(number: bytes, text: bytes) -> None:
    assert "integer beyond 64 bits at line 2" in refusal(text % number)


@pytest.mark.parametrize(
    "text",
    [
        b"[18446744073709551615, -9223372036854775808]",
        b'["99999999999999999999", "\\"[99999999999999999999]"]',
        b"[1.99999999999999999999999, 1e-0000000000000000000000001]",
    ],
)
def test_numbers_that_fit_and_digits_in_strings_are_left_alone(text: bytes) -> None:
    assert parse_json(text) == json.loads(text)


@pytest.mark.bad_input(6)
def test_nesting_is_allowed_to_its_limit_and_no_further() -> None:
    assert parse_json(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))
    assert "deeper than 64 levels" in refusal(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'["]",' * 100_000,
        b'["\\"]",' * 100_000,
        b'[["\\\\"],' * 1000 + b"1" + b"]" * 1000,
        b"[[]," * 1000,
    ],
    ids=["lists", "closed", "objects", "strings", "quotes", "backslashes", "siblings"],
)
def test_deep_nesting_is_refused_whatever_strings_stand_between(data: bytes) -> None:
    assert "deeper than 64 levels" in refusal(data)


@pytest.mark.parametrize(
    "value",
    [
        "[" * 1000,
        '\\"' * 50 + "{" * 100,
        ["[", "]{", '"['] * 100,
        [[[1]]] * 500,
        {"[{": "\\"},
        ["\\", "[" * 1000],
    ],
)
def test_brackets_in_strings_and_in_a_row_are_not_nesting(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.bad_input(4)
def test_every_duplicate_key_is_named_with_its_path() -> None:
    message = refusal(
        b'{"mapper": "a", "inputs": [1, {"b": 1, "b": 2, "b": 3}], "retry": {"c d": 1, "c d": 1},'
        b' "mapper": "x"}'
    )
    assert message == (
        '$: has the key "mapper" more than once\n'
        '$.inputs[1]: has the key "b" more than once\n'
        '$.retry: has the key "c d" more than once'
    )


def test_a_duplicate_key_is_found_however_it_is_written() -> None:
    assert 'the key "a"' in refusal(b'{"a": ":", "\\u0061": {"x": 1}}')
    assert 'the key "a"' in refusal(b'{"a": 1, "a": {"x": 1}}')


@pytest.mark.parametrize("element", [b'{"a":1,"a":1}', b"9" * 30])
def test_few_of_many_mistakes_are_shown(element: bytes) -> None:
    with pytest.raises(JobSpecError) as caught:
        parse_json(b"[" + b",".join([element] * 1000) + b"]")
    assert len(caught.value.problems) == 20


@pytest.mark.bad_input(8, 12)
def test_a_root_that_is_no_object_and_inputs_that_are_a_string_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text("[1]")
    with pytest.raises(JobSpecError, match=r"\$: must be an object"):
        load_job(path)
    path.write_text('{"mapper": "m", "inputs": "abc"}')
    with pytest.raises(JobSpecError, match=r"\$\.inputs: must be a list .*; found \"abc\""):
        load_job(path)


def test_the_garbage_collector_runs_again_after_a_load() -> None:
    parse_json(JOB)
    assert gc.isenabled()
    refusal(b"{")
    assert gc.isenabled()


def test_three_hundred_thousand_inputs_load_in_a_moment() -> None:
    inputs = b",".join(b'{"id": %d, "url": "http://host/%d"}' % (n, n) for n in range(300_000))
    started_s = time.process_time()
    spec = parse_job(parse_json(b'{"mapper": "m", "inputs": [' + inputs + b"]}"))
    assert len(spec.inputs) == 300_000
    # Some tenths of a second on a slow machine; the limit is there for what grows in the square.
    assert time.process_time() - started_s < 3


DOCUMENT = json.dumps(
    {
        "mapper": "pi.mapper",
        "reducer": "pi.reducer",
        "inputs": [1000, 'a\\"[{é', {"url": "http://x", "n": [1.5, None, True]}],
        "reduce": {"points": 10_000},
        "retry": {"max_attempts": 3, "backoff": "1s"},
        "on_failure": {"tolerate": 0.05},
        "timeout": "30s",
    },
    ensure_ascii=False,
).encode()

PIECES = st.sampled_from([b'"', b"\\", b"[", b"]", b"{", b"}", b":", b",", b"NaN", b"1" * 25]) | (
    st.binary(max_size=4)
)


def outcome(data: bytes) -> JobSpec | JobSpecError:
    try:
        return parse_job(parse_json(data))
    except JobSpecError as error:
        return error


@pytest.mark.parametrize("length", range(len(DOCUMENT)))
def test_a_job_cut_off_anywhere_is_a_job_spec_error(length: int) -> None:
    assert isinstance(outcome(DOCUMENT[:length]), JobSpecError)


@given(
    st.lists(
        st.tuples(st.integers(0, len(DOCUMENT)), st.integers(0, 20), PIECES),
        min_size=1,
        max_size=4,
    )
)
@example([(0, 0, b"")])
def test_a_job_changed_anywhere_is_a_job_or_a_job_spec_error(
    edits: list[tuple[int, int, bytes]],
) -> None:
    data = DOCUMENT
    for at, removed, added in edits:
        data = data[:at] + added + data[at + removed :]
    assert isinstance(outcome(data), JobSpec | JobSpecError)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text('a"\\[]{}:,1é'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('a"\\[]{}:'), inner),
)


@given(ANY_JSON, st.booleans())
def test_right_json_is_read_as_the_standard_library_does(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text.encode()) == json.loads(text)
