"""The JSON schema of job.json, which editors check it against."""

from __future__ import annotations

import json

from amr.jobspec.job import json_schema, parse_job
from tests.jobspec.test_job import EVERY_FIELD


def test_the_schema_describes_every_field_under_its_json_name() -> None:
    schema = json_schema()
    json.dumps(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == set(EVERY_FIELD)
    assert schema["required"] == ["mapper", "inputs"]
    assert schema["additionalProperties"] is False
    assert all(field["description"] for field in schema["properties"].values())
    retry = schema["$defs"]["RetryPolicy"]["properties"]
    assert set(retry) == set(EVERY_FIELD["retry"])  # type: ignore[call-overload]


def test_the_defaults_of_the_schema_are_the_defaults() -> None:
    schema = json_schema()
    fields = schema["properties"] | {"retry": schema["$defs"]["RetryPolicy"]}
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    retry = fields["retry"]["properties"]
    defaults["retry"] = {name: field["default"] for name, field in retry.items()}
    document = {"mapper": "m", "inputs": []}
    # Without a reducer its body is refused, so its default is left out here.
    assert defaults.pop("reduce") == {}
    assert parse_job({**document, **defaults}) == parse_job(document)
