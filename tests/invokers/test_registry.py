"""Names come from reading files, not from running them; mistakes are told with their place."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from amr.errors import FunctionsError, PermanentError
from amr.invokers.base import FunctionInfo
from amr.invokers.context import Context
from amr.invokers.registry import Registry, UnknownFunctionError

Make = Callable[..., Registry]


def test_public_functions_are_named_after_their_file(registry_of: Make) -> None:
    registry = registry_of(
        words="def count(body): ...\nasync def fetch(body): ...\ndef _own(body): ...\nX = 1\n",
        _hidden="def secret(body): ...\n",
    )
    assert registry.names() == ["words.count", "words.fetch"]


def test_a_handler_is_also_named_like_its_file(registry_of: Make) -> None:
    assert registry_of(resize="def handler(body): ...\n").names() == ["resize", "resize.handler"]


def test_a_description_tells_where_a_function_is(registry_of: Make) -> None:
    registry = registry_of(words='\n\nasync def fetch(body):\n    """Fetches it.\n\n    More."""\n')
    info = FunctionInfo("words.fetch", "python", "words.py:fetch line 3", "Fetches it.", True)
    assert registry.describe() == [info]


def test_listing_runs_no_code_of_the_user(registry_of: Make) -> None:
    registry = registry_of(loud="import sys\nsys.loud = True\ndef go(body): ...\n")
    assert registry.names() == ["loud.go"]
    assert not hasattr(sys, "loud")


def test_an_unknown_name_is_answered_with_the_nearest_one(registry_of: Make) -> None:
    registry = registry_of(words="def count(body): ...\n")
    with pytest.raises(UnknownFunctionError, match=r'did you mean "words.count"'):
        registry.find("words.cuont")


@pytest.mark.bad_input(19)
@pytest.mark.parametrize("name", ["os:system", "../x", "__import__", "os.system", "words._own", ""])
def test_nothing_outside_the_registry_can_be_named(registry_of: Make, name: str) -> None:
    registry = registry_of(words="def _own(body): ...\n")
    with pytest.raises(UnknownFunctionError):
        registry.find(name)


def test_a_file_with_a_syntax_error_leaves_the_others_usable(registry_of: Make) -> None:
    registry = registry_of(good="def go(body): ...\n", broken="def go(body:\n  pass\n")
    assert registry.names() == ["good.go"]
    with pytest.raises(UnknownFunctionError, match=r"broken\.py line 1"):
        registry.find("broken.go")
    assert any("broken.py line 1" in problem for problem in registry.check())


def test_check_imports_everything_and_tells_file_and_line(registry_of: Make) -> None:
    registry = registry_of(bad="X = 1\nY = 1 / 0\ndef go(body): ...\n", good="def go(body): ...\n")
    (problem,) = registry.check()
    assert "bad.py" in problem
    assert "ZeroDivisionError" in problem
    assert "line 2" in problem


def test_a_file_may_be_called_like_a_module_of_the_standard_library(
    registry_of: Make, context: Context
) -> None:
    registry = registry_of(random="def go(body):\n    return 'mine'\n")
    invoker = registry.find("random.go")
    invoker.prepare()
    assert invoker.invoke(b"1", context) == b'"mine"'
    assert sys.modules["random"] is random


def test_files_may_import_each_other(registry_of: Make, context: Context) -> None:
    registry = registry_of(
        words="from . import helper\nimport helper_two\n"
        "def go(body):\n    return [helper.A, helper_two.B]\n",
        helper="A = 1\n",
        helper_two="B = 2\n",
    )
    invoker = registry.find("words.go")
    invoker.prepare()
    assert invoker.invoke(b"1", context) == b"[1,2]"


def test_a_missing_directory_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FunctionsError, match="--functions"):
        Registry.load(tmp_path / "nowhere")


def test_targets_are_functions_of_importable_modules(context: Context) -> None:
    registry = Registry.with_targets(None, {"root": "math:sqrt"})
    invoker = registry.find("root")
    invoker.prepare()
    assert invoker.invoke(b"9", context) == b"3.0"


def test_functions_toml_gives_more_names(registry_of: Make, context: Context) -> None:
    registry = registry_of('public_name = "words:go"\n', words="def go(body):\n    return body\n")
    invoker = registry.find("public_name")
    invoker.prepare()
    assert invoker.invoke(b'{"a":1}', context) == b'{"a":1}'


def test_every_mistake_of_functions_toml_is_told_at_once(registry_of: Make) -> None:
    toml = """
    one = "nowhere:go"
    "bad name" = "words:go"
    two = 3
    [three]
    url = "ftp://host/x"
    timeuot = "3s"
    concurrency = 0
    headers = { Host = "x", "X-A" = "a\\nb" }
    [four]
    url = "http://user:secret@host/"
    timeout = "soon"
    [five]
    """
    with pytest.raises(FunctionsError) as caught:
        registry_of(toml, words="def go(body): ...\n")
    text = str(caught.value)
    for part in (
        "'bad name'",
        "two: must be",
        "three.url: must begin with http",
        'three.timeuot: is not a known key; did you mean "timeout"',
        "three.concurrency",
        "three.headers: Host",
        "four.url: must hold no user",
        "four.timeout",
        "five.url: is required",
    ):
        assert part in text
    assert "secret" not in text


def test_an_alias_of_nothing_is_told(registry_of: Make) -> None:
    with pytest.raises(FunctionsError, match=r'words:og; did you mean "words.go"'):
        registry_of('alias = "words:og"\n', words="def go(body): ...\n")


def test_functions_toml_that_is_not_toml_is_told_with_its_line(registry_of: Make) -> None:
    with pytest.raises(FunctionsError, match=r"functions\.toml: is not TOML.*line 1"):
        registry_of("a = = 1\n")


def test_a_header_from_an_unset_variable_is_told(
    registry_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMR_TEST_TOKEN", raising=False)
    toml = '[far]\nurl = "https://host/"\nheaders = {Authorization = "Bearer ${AMR_TEST_TOKEN}"}'
    registry = registry_of(toml)
    assert registry.names() == ["far"]
    with pytest.raises(PermanentError, match="AMR_TEST_TOKEN"):
        registry.find("far").prepare()
    assert any("AMR_TEST_TOKEN" in problem for problem in registry.check())
