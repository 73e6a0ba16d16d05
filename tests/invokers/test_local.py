"""Python functions: how they are called, and what becomes of every way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from amr.errors import PermanentError, RetryLater, TaskTimeoutError
from amr.invokers.context import Context
from amr.invokers.failures import HttpError, describe_failure
from amr.invokers.local import FunctionImportError
from amr.invokers.registry import Registry
from amr.task import Failure

Make = Callable[..., Registry]


def failure_of(registry: Registry, name: str, context: Context, body: bytes = b"1") -> Failure:
    """Returns what a call of a function that must fail came to."""
    try:
        invoker = registry.find(name)
        invoker.prepare()
        output = invoker.invoke(body, context)
    except BaseException as error:
        return describe_failure(error, name)
    raise AssertionError(f"{name} returned {output!r}")


def test_a_function_takes_a_body_or_a_body_and_a_context(
    registry_of: Make, context: Context
) -> None:
    registry = registry_of(
        f="def one(body):\n    return body\n"
        "def two(body, context):\n"
        "    return [body, context.job, context.stage, context.index, context.attempt]\n"
        "def optional(body, context=None):\n    return context is not None\n"
        "def other(body, factor=2):\n    return body * factor\n"
    )
    outputs = {}
    for name in registry.names():
        invoker = registry.find(name)
        invoker.prepare()
        outputs[name] = invoker.invoke(b"3", context)
    assert outputs == {
        "f.one": b"3",
        "f.two": b'[3,"job-1","map",37,2]',
        "f.optional": b"true",
        "f.other": b"6",
    }


def test_an_async_function_is_awaited(registry_of: Make, context: Context) -> None:
    registry = registry_of(f="async def go(body, context):\n    return [body, context.index]\n")
    invoker = registry.find("f.go")
    invoker.prepare()
    assert invoker.concurrent
    assert asyncio.run(invoker.invoke_async(b"3", context)) == b"[3,37]"


@pytest.mark.bad_input(39)
@pytest.mark.parametrize(
    ("value", "type_name"),
    [("{1}", "set"), ("b'x'", "bytes"), ("float('nan')", "nan"), ("object()", "object")],
)
def test_output_that_is_not_json_names_function_and_type(
    registry_of: Make, context: Context, value: str, type_name: str
) -> None:
    registry = registry_of(f=f"def go(body):\n    return {{'a': [{value}]}}\n")
    failure = failure_of(registry, "f.go", context)
    assert failure.permanent
    assert failure.message.startswith("f.go returned what is not JSON: $.a[0]")
    assert type_name in failure.message


def test_an_exception_names_function_type_and_line(registry_of: Make, context: Context) -> None:
    registry = registry_of(
        f="def go(body):\n    helper()\ndef helper():\n    raise KeyError('k')\n"
    )
    failure = failure_of(registry, "f.go", context)
    assert failure.type == "KeyError"
    assert failure.message == "f.go: 'k' (f.py:4)"
    assert failure.where == "f.py:4"
    assert not failure.permanent
    assert "in helper" in failure.traceback
    assert "invokers" not in failure.traceback


@pytest.mark.bad_input(40)
def test_sys_exit_is_a_failure_of_the_task(registry_of: Make, context: Context) -> None:
    failure = failure_of(
        registry_of(f="import sys\ndef go(body):\n    sys.exit(3)\n"), "f.go", context
    )
    assert failure.type == "SystemExit"
    assert "sys.exit(3)" in failure.message
    assert "f.py:3" in failure.message


@pytest.mark.bad_input(21)
def test_an_import_error_is_permanent_and_names_file_and_line(
    registry_of: Make, context: Context
) -> None:
    registry = registry_of(f="X = 1\nimport no_such_module_at_all\ndef go(body): ...\n")
    failure = failure_of(registry, "f.go", context)
    assert failure.permanent
    assert "f.py cannot be imported: ModuleNotFoundError" in failure.message
    assert "line 2" in failure.message


@pytest.mark.bad_input(20)
@pytest.mark.parametrize("arguments", ["", "a, b, c", "*, key"])
def test_a_function_with_other_arguments_is_refused(registry_of: Make, arguments: str) -> None:
    registry = registry_of(f=f"def go({arguments}): ...\n")
    with pytest.raises(FunctionImportError, match=r"\(body\) or \(body, context\)"):
        registry.find("f.go").prepare()


def test_an_error_that_cannot_be_printed_is_still_told(registry_of: Make, context: Context) -> None:
    registry = registry_of(
        f="class Bad(Exception):\n    def __str__(self): raise ValueError\n"
        "def go(body):\n    raise Bad\n"
    )
    failure = failure_of(registry, "f.go", context)
    assert failure.type == "Bad"
    assert "cannot be read" in failure.message


def test_long_messages_and_tracebacks_are_cut() -> None:
    failure = describe_failure(ValueError("x" * 100_000), "f.go")
    assert len(failure.message) < 5000


def test_what_a_function_asks_for_is_understood() -> None:
    later = describe_failure(RetryLater(2.5), "f.go")
    assert (later.retry_after_s, later.permanent) == (2.5, False)
    assert describe_failure(PermanentError("no"), "f.go").permanent
    assert describe_failure(TaskTimeoutError("slow"), "f.go").timed_out
    http = describe_failure(HttpError("no", status=404, permanent=True), "f.go")
    assert (http.type, http.permanent, http.where) == ("HTTP 404", True, "f.go")
