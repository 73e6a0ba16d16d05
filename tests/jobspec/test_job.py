import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amr.errors import JobSpecError
from amr.jobspec.job import JobSpec, RetryPolicy, Tolerate, check_functions, parse_job

EVERY_FIELD = {
    "mapper": "pi.mapper",
    "reducer": "pi.reducer",
    "inputs": [1, {"a": None}],
    "batch": 2,
    "call": "record",
    "skip_bad_records": 5,
    "shuffle": {"partitions": 3, "combiner": "amr.sum", "partitioner": "range", "store": "/s"},
    "reduce_tree": None,
    "reduce": {"points": 10},
    "output": "out/{job}/{partition}.jsonl",
    "name": "Große Zahl 🥧",
    "retry": {"max_attempts": 2, "backoff": "250ms", "max_backoff": "5s"},
    "reduce_retry": {"max_attempts": 9, "backoff": "3s", "max_backoff": "4s"},
    "deadline": "1h",
    "timeout": "30s",
    "reduce_timeout": "5m",
    "concurrency": 12,
    "rate": "90/m",
    "on_failure": {"tolerate": 0.05},
    "ttl": "7d",
    "then": {"mapper": "next.mapper"},
    "backup": False,
    "spill": "2MB",
    "durability": "disk",
}

#: An integer with more digits than Python writes out.
HUGE = pytest.param(10**5000, id="5,000 digits")


def job(**fields: Any) -> JobSpec:
    return parse_job({"mapper": "m", "reducer": "r", "inputs": [], **fields})


def mistakes(document: Any) -> dict[str, str]:
    """Returns the messages of a wrong document by their paths."""
    with pytest.raises(JobSpecError) as caught:
        parse_job(document)
    return {problem.path: problem.message for problem in caught.value.problems}


def mistake(path: str, **fields: Any) -> str:
    """Returns the message of a document that is wrong at ``path`` and nowhere else."""
    found = mistakes({"mapper": "m", "reducer": "r", "inputs": [], **fields})
    assert list(found) == [path]
    return found[path]


def test_the_original_form_has_the_documented_defaults() -> None:
    spec = parse_job({"mapper": "m", "reducer": "r", "inputs": [1], "reduce": {"points": 1}})
    assert (spec.mapper, spec.reducer, spec.inputs, spec.reduce) == ("m", "r", [1], {"points": 1})
    assert spec.name is None
    assert spec.retry == RetryPolicy(max_attempts=4, backoff="1s", max_backoff="60s")
    assert (spec.retry.backoff_s, spec.retry.max_backoff_s) == (1, 60)
    assert (spec.timeout_s, spec.reduce_timeout_s, spec.deadline_s) == (600, 600, None)
    assert (spec.concurrency, spec.on_failure, spec.ttl_s) == (10_000, "fail", 86_400)


def test_every_field_can_be_given() -> None:
    spec = parse_job(EVERY_FIELD)
    assert spec.retry == RetryPolicy(max_attempts=2, backoff=0.25, max_backoff=5)
    assert (spec.deadline_s, spec.timeout_s, spec.reduce_timeout_s) == (3600, 30, 300)
    assert (spec.concurrency, spec.on_failure, spec.ttl_s) == (12, Tolerate(0.05), 604_800)
    assert (spec.name, spec.rate, spec.durability) == (EVERY_FIELD["name"], 1.5, "disk")
    assert spec.spill_bytes == 2_000_000


def test_inputs_are_kept_and_not_copied() -> None:
    inputs = [{"a": 1}] * 1000
    assert job(inputs=inputs).inputs is inputs


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        job().mapper = "other"  # type: ignore[misc]


def test_null_is_the_same_as_leaving_out_what_has_no_default() -> None:
    assert job(reducer=None, name=None, deadline=None) == job(reducer=None)


def test_the_reduce_timeout_follows_the_timeout() -> None:
    assert job(timeout="30s").reduce_timeout_s == 30
    assert job(timeout="none").reduce_timeout_s is None
    assert job(timeout="30s", reduce_timeout="none").reduce_timeout_s is None


def test_the_default_timeout_keeps_to_a_shorter_deadline() -> None:
    assert job(deadline="5m").timeout_s == 300
    assert job(deadline="5m", timeout="none").timeout_s is None


@pytest.mark.bad_input(10)
def test_every_mistake_is_reported_at_once_with_its_path() -> None:
    found = mistakes(
        {
            "reducer": "os:system",
            "inputs": "abc",
            "reduce": {"inputs": 1, "failures": 2, "fine": 3},
            "name": "a\nb",
            "retry": {"max_attempts": True, "backoff": -1, "jitter": 1},
            "deadline": "1h",
            "timeout": "2h",
            "concurrency": 2.5,
            "on_failure": {"tolerate": 2, "tolerte": 1},
            "ttl": 0,
            "maper": "x",
        }
    )
    assert set(found) == {
        "$.mapper",
        "$.reducer",
        "$.inputs",
        "$.reduce.inputs",
        "$.reduce.failures",
        "$.name",
        "$.retry.max_attempts",
        "$.retry.backoff",
        "$.retry.jitter",
        "$.timeout",
        "$.concurrency",
        "$.on_failure.tolerate",
        "$.on_failure.tolerte",
        "$.ttl",
        "$.maper",
    }
    assert not re.search("Input should|pydantic|Value error|https?:", "".join(found.values()))


def test_the_error_names_the_source_on_each_line() -> None:
    with pytest.raises(JobSpecError) as caught:
        parse_job({}, source="jobs/x.json")
    assert re.fullmatch(
        r"jobs/x.json: \$\.mapper: .*missing.*\njobs/x.json: \$\.inputs: .*missing.*",
        str(caught.value),
    )


@pytest.mark.parametrize("root", [[], [1], "x", 3, None, True])
def test_the_root_must_be_an_object(root: Any) -> None:
    assert "must be an object" in mistakes(root)["$"]


@pytest.mark.bad_input(9)
def test_an_unknown_field_is_refused_with_the_nearest_of_its_level() -> None:
    assert 'did you mean "concurrency"?' in mistake("$.concurency", concurency=3)
    assert 'did you mean "max_backoff"?' in mistake("$.retry.maxbackoff", retry={"maxbackoff": 1})
    assert "the fields are mapper, reducer" in mistake("$.zzz", zzz=1)


@pytest.mark.parametrize("name", ["timeout_s", "ttl_s", "header"])
def test_names_of_the_python_side_are_not_fields(name: str) -> None:
    assert "not a known field" in mistake(f"$.{name}", **{name: 1})


def test_keys_that_are_not_strings_are_refused() -> None:
    document: dict[Any, Any] = {"mapper": "m", "inputs": [], 3: 4}
    assert "not a string" in mistakes(document)["$[3]"]


@pytest.mark.bad_input(19)
@pytest.mark.parametrize(
    "name",
    ["", "os:system", "../x", "a/b", "http://x/y", "a b", "ä", "a\n", "x" * 201, 3, None],
)
def test_a_mapper_must_be_a_name_of_the_registry(name: Any) -> None:
    assert re.search("name (of a function|in the registry)", mistake("$.mapper", mapper=name))


@pytest.mark.parametrize("value", ["abc", 3, None, True])
def test_inputs_must_be_a_list_or_a_source(value: Any) -> None:
    assert "must be a list" in mistake("$.inputs", inputs=value)


def test_a_reduce_body_without_a_reducer_is_refused() -> None:
    assert 'give "reducer"' in mistake("$.reduce", reducer=None, reduce={})


def test_a_reduce_body_is_not_blamed_on_a_wrong_reducer() -> None:
    assert list(mistakes({"mapper": "m", "reducer": "a/b", "inputs": [], "reduce": {}})) == [
        "$.reducer"
    ]


@pytest.mark.parametrize("value", [[], "x", None, 3])
def test_a_reduce_body_must_be_an_object(value: Any) -> None:
    assert "must be an object" in mistake("$.reduce", reduce=value)


def test_a_reduce_body_that_is_not_json_is_refused() -> None:
    assert "$.a is of type set" in mistake("$.reduce", reduce={"a": {1}})
    assert "nan" in mistake("$.reduce", reduce={"a": math.nan})


@pytest.mark.bad_input(15)
@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 101, "a\0b", "a\nb", "\x1b[31m", "\ud800", "a\u2028b", 3, ["x"]]
)
def test_a_name_must_be_one_short_printable_line(name: Any) -> None:
    assert "found" in mistake("$.name", name=name) or len(name) > 100


@pytest.mark.parametrize("value", ["3", True, 2.5, 3.0, 0, -1, 101, 10**30, HUGE, None, [3]])
def test_attempts_must_be_a_whole_number_in_range(value: Any) -> None:
    message = mistake("$.retry.max_attempts", retry={"max_attempts": value})
    assert "must be a whole number from 1 to 100" in message


@pytest.mark.parametrize("value", ["3", True, 2.5, 0, -1, 1_000_001, None])
def test_concurrency_must_be_a_whole_number_in_range(value: Any) -> None:
    assert "from 1 to 1000000" in mistake("$.concurrency", concurrency=value)


WRONG_DURATIONS = ["30", "", "soon", -1, True, math.nan, math.inf, 1e300, 10**400, "366d", [1], {}]


@pytest.mark.bad_input(16)
@pytest.mark.parametrize("value", WRONG_DURATIONS)
def test_durations_must_have_a_unit_or_be_seconds_up_to_a_year(value: Any) -> None:
    for name in ("timeout", "reduce_timeout", "deadline", "ttl"):
        assert "found" in mistake(f"$.{name}", **{name: value})
    assert "found" in mistake("$.retry.backoff", retry={"backoff": value})
    assert "found" in mistake("$.retry.max_backoff", retry={"max_backoff": value})


@pytest.mark.parametrize("name", ["timeout", "reduce_timeout", "deadline", "ttl"])
@pytest.mark.parametrize("value", [0, "0s", 0.0001])
def test_limits_are_at_least_a_millisecond(name: str, value: Any) -> None:
    assert 'at least "1ms"' in mistake(f"$.{name}", **{name: value})


@pytest.mark.parametrize("name", ["timeout", "reduce_timeout", "ttl"])
def test_null_is_no_duration(name: str) -> None:
    assert "found null" in mistake(f"$.{name}", **{name: None})


def test_only_limits_can_be_none() -> None:
    spec = job(timeout="none", reduce_timeout="none", deadline="none")
    assert (spec.timeout_s, spec.reduce_timeout_s, spec.deadline_s) == (None, None, None)
    assert 'found "none"' in mistake("$.ttl", ttl="none")


def test_the_backoff_can_be_zero() -> None:
    retry = job(retry={"backoff": 0, "max_backoff": 0}).retry
    assert (retry.backoff_s, retry.max_backoff_s) == (0, 0)


def test_a_longest_backoff_below_the_backoff_is_refused() -> None:
    message = mistake("$.retry.max_backoff", retry={"backoff": "2s", "max_backoff": "1s"})
    assert message == 'must not be below backoff, which is 2s; found "1s"'


@pytest.mark.bad_input(18)
@pytest.mark.parametrize("name", ["timeout", "reduce_timeout"])
def test_an_attempt_must_not_outlast_the_deadline(name: str) -> None:
    message = mistake(f"$.{name}", deadline="1h", **{name: "2h"})
    assert message == 'must not be above the job\'s deadline, which is 1h; found "2h"'
    assert job(deadline="1h", **{name: "1h"}).deadline_s == 3600


@pytest.mark.parametrize("value", [5, "x", None, [1]])
def test_retry_must_be_an_object(value: Any) -> None:
    assert mistake("$.retry", retry=value).startswith("must be an object, found")


def test_failure_policies_are_told_by_name() -> None:
    assert 'did you mean "collect"?' in mistake("$.on_failure", on_failure="colect")
    for value in (None, True, 0.05, [], 3):
        assert 'must be "fail", "collect"' in mistake("$.on_failure", on_failure=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, "0.1", True, None, math.nan, HUGE])
def test_the_tolerated_fraction_must_be_from_0_to_1(value: Any) -> None:
    message = mistake("$.on_failure.tolerate", on_failure={"tolerate": value})
    assert "from 0 to 1" in message
    assert "found nothing" in mistake("$.on_failure.tolerate", on_failure={})


@pytest.mark.parametrize(
    ("policy", "total", "allowed"),
    [
        ("fail", 100, 0),
        ("collect", 100, 100),
        ({"tolerate": 0.29}, 100, 29),
        ({"tolerate": 0.05}, 19, 0),
        ({"tolerate": 0.05}, 20, 1),
        ({"tolerate": 1}, 7, 7),
        ({"tolerate": 0}, 7, 0),
    ],
)
def test_tolerated_failures_are_counted_down_to_whole_tasks(
    policy: Any, total: int, allowed: int
) -> None:
    assert job(on_failure=policy).tolerated_failures(total) == allowed


def test_the_display_name_is_the_name_or_the_mapper() -> None:
    assert job(name="nightly").display_name == "nightly"
    assert job().display_name == "m"


@pytest.mark.parametrize(
    "document",
    [
        EVERY_FIELD,
        {"mapper": "m", "inputs": [1]},
        {"mapper": "m", "inputs": [1], "deadline": "1m", "timeout": "none"},
        {"mapper": "m", "reducer": "r", "inputs": [], "on_failure": "collect"},
    ],
)
def test_a_header_is_json_and_reads_back_as_the_same_job(document: Any) -> None:
    spec = parse_job(document)
    header = json.loads(json.dumps(spec.header()))
    again = JobSpec.from_header(header)
    assert again == parse_job({**document, "inputs": []})
    assert again.header() == header


def test_a_header_has_every_field_but_the_inputs() -> None:
    # Null is left out; a job has a shuffle or a tree.
    assert set(parse_job(EVERY_FIELD).header()) == set(EVERY_FIELD) - {"inputs", "reduce_tree"}
    assert job(reduce_tree=4).header()["reduce_tree"] == 4


def test_documents_that_mean_the_same_have_equal_headers() -> None:
    spelled_out = job(timeout=600, ttl="1d", retry={"backoff": 1}, reduce={}, on_failure="fail")
    assert spelled_out.header() == job().header()
    assert job(timeout=601).header() != job().header()


def test_unknown_functions_are_named_with_the_nearest_and_the_known() -> None:
    spec = job(mapper="pi.maper", reducer="pi.reducer")
    with pytest.raises(JobSpecError) as caught:
        check_functions(spec, ["pi.mapper", "pi.reducer"], "x.json")
    assert str(caught.value) == (
        'x.json: $.mapper: no function "pi.maper" in the registry; did you mean "pi.mapper"?'
        " (known functions: pi.mapper, pi.reducer)"
    )


def test_known_functions_are_found_and_a_map_only_job_needs_no_reducer() -> None:
    check_functions(job(), {"m", "r"})
    check_functions(job(reducer=None), {"m"})


def test_the_list_of_known_functions_is_short() -> None:
    with pytest.raises(JobSpecError, match="and 90 more") as caught:
        check_functions(job(), [f"f{n}" for n in range(100)])
    assert [problem.path for problem in caught.value.problems] == ["$.mapper", "$.reducer"]
    with pytest.raises(JobSpecError, match="known functions: none"):
        check_functions(job(), [])


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
LIKELY = st.sampled_from(["m", "none", "5m", "30", "fail", "collect", 3, 0.5, {"tolerate": 0.1}])


@given(
    st.dictionaries(
        st.sampled_from([*EVERY_FIELD, "maper", "timeout_s", ""]), LIKELY | ANY_JSON, max_size=12
    )
)
def test_any_document_is_a_job_that_reads_back_or_a_job_spec_error(document: Any) -> None:
    try:
        spec = parse_job(document)
    except JobSpecError as error:
        refusal = error
    else:
        assert JobSpec.from_header(spec.header()).header() == spec.header()
        return
    assert refusal.problems
    assert "Input should" not in str(refusal)
