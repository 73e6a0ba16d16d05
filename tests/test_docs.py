"""The documents say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import amr
from amr.jobspec.job import JobSpec
from amr.settings import VARIABLES
from amr.store.keys import JOB_KEYS, STREAM_KEYS
from amr.store.loader import load_scripts

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_architecture_names_every_script_and_no_other() -> None:
    section = (
        text_of("docs/architecture.md").partition("## Transitions")[2].partition("| a crash")[0]
    )
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(load_scripts())


def test_the_architecture_has_every_key_with_its_type() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([A-Z]+) \|", text_of("docs/architecture.md"), re.M))
    expected = {f"amr:{{S}}{ending}": kind for ending, kind in STREAM_KEYS.values()}
    expected |= {f"…{ending}" if ending else "amr:{S}:job:ID": k for ending, k in JOB_KEYS.values()}
    assert rows == expected


def test_every_file_that_the_architecture_names_exists() -> None:
    text = text_of("docs/architecture.md")
    names = set(re.findall(r"`([a-z_/]+\.(?:py|lua))`", text))
    assert len(names) > 20
    for name in names:
        assert list((ROOT / "amr").rglob(name)) or (ROOT / name).exists(), name


def test_every_field_of_job_json_is_documented() -> None:
    text = text_of("docs/job.md")
    for name, field in JobSpec.model_fields.items():
        assert f"| `{field.alias or name}` |" in text


def test_every_variable_is_documented() -> None:
    text = text_of("docs/trigger.md")
    assert [name for name in VARIABLES if f"`{name}`" not in text] == []


def test_every_shipped_job_is_among_the_examples() -> None:
    rows = re.findall(r"^\| (`.+?`) \|", text_of("docs/examples.md"), re.MULTILINE)
    assert sorted(re.findall(r"`([^`]+)`", " ".join(rows))) == sorted(
        path.stem for path in (ROOT / "jobs").glob("*.json")
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_the_version_is_told_once() -> None:
    assert f'version = "{amr.__version__}"' in text_of("pyproject.toml")
