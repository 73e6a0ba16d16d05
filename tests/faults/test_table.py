"""Each fault of docs/reliability.md has a test, and each mark of a test has a fault."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def marked(name: str) -> set[int]:
    """Returns the numbers that tests carry in their marks."""
    texts = [file.read_text() for file in (ROOT / "tests").rglob("*.py")]
    found = [each for text in texts for each in re.findall(rf"mark\.{name}\(([\d, ]+)\)", text)]
    return {int(number) for numbers in found for number in numbers.split(",")}


def test_every_fault_of_the_table_has_a_test() -> None:
    table = (ROOT / "docs" / "reliability.md").read_text()
    faults = {int(number) for number in re.findall(r"^\| (\d+) \| ", table, re.MULTILINE)}
    assert marked("fault") == faults == set(range(1, len(faults) + 1))
