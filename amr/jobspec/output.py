"""Where results go: ``output`` of job.json, the path of part files."""

from __future__ import annotations

import re
from string import Formatter
from typing import Any

from amr.jobspec.fields import Earlier
from amr.jobspec.source_fields import paths
from amr.suggest import did_you_mean
from amr.wording import found, quoted

#: What stands in braces in a path.
PLACEHOLDERS = ("job", "name", "partition")

_ENDING = re.compile(r"\.(json|jsonl|csv)(\.gz)?$")

OUTPUT_SCHEMA = {"type": ["string", "null"], "pattern": r"\.(json|jsonl|csv)(\.gz)?$"}


def output_path(value: Any, earlier: Earlier) -> str | None:
    """Allows a path or URL of part files, or null."""
    if value is None:
        return None
    if not isinstance(value, str):
        example = "out/{job}/part-{partition}.jsonl"
        raise ValueError(f"must be a path such as {example}, found {found(value)}")
    paths(value, earlier)
    names = _placeholders(value)
    if not _ENDING.search(value):
        raise ValueError(f"must end in .json, .jsonl, .csv or one of them and .gz: {quoted(value)}")
    if "partition" not in names and _has_parts(earlier):
        raise ValueError(f"is of several files, so put {{partition}} into it: {quoted(value)}")
    return value


def part_path(path: str, *, job: str, name: str, partition: int) -> str:
    """Returns the path of one part."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    return path.format(job=job, name=safe, partition=partition)


def _has_parts(earlier: Earlier) -> bool:
    shuffle = earlier.get("shuffle")
    if shuffle is None:
        return "reducer" in earlier and earlier["reducer"] is None
    return bool(shuffle.partitions > 1)


def _placeholders(path: str) -> set[str]:
    try:
        parts = list(Formatter().parse(path))
        path.format(job="j", name="n", partition=0)
    except (ValueError, IndexError, KeyError, AttributeError):
        names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        inside = re.findall(r"{([A-Za-z_]*)", path)
        guess = next((g for each in inside if (g := did_you_mean(each, PLACEHOLDERS))), "")
        shown = f"found {quoted(path)}{guess}"
        raise ValueError(f"may have {names} and no other braces; {shown}") from None
    return {name for _, name, _, _ in parts if name is not None}
