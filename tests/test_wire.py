"""JSON on the wire: exact, strict, and clear about what it refuses."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amr.wire import NotJsonError, dumps, loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(JSON)
def test_any_json_comes_back_as_it_was(value: object) -> None:
    assert loads(dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, {2}]}, "$.a[1] is of type set"),
        ([b"x"], "$[0] is of type bytes"),
        (math.nan, "$ is nan"),
        ([1.5, -math.inf], "$[1] is -inf"),
        (2**64, "$ is an integer beyond 64 bits"),
        ({1: 2}, "$ has a key of type int"),
        ("\ud800", "$ is a string with a lone surrogate"),
        (datetime(2026, 1, 1), "$ is of type datetime"),
        (object(), "$ is of type object"),
    ],
)
def test_what_is_not_json_is_named_with_its_place(value: object, words: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        dumps(value)
    assert words in str(caught.value)


def test_null_is_not_mistaken_for_nan() -> None:
    assert dumps([None, "null"]) == b'[null,"null"]'


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(NotJsonError, match="too deeply, or holds itself"):
        dumps(loop)
