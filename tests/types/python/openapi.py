"""A description on standard input: held against the schema of OpenAPI 3.1, its own schemas against that of JSON Schema 2020-12,
and its examples against its schemas."""

import json
import sys
from typing import Any, Dict, Iterator, Tuple

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT: Dict[str, Any] = json.load(sys.stdin)
REGISTRY: Any = Registry().with_resource("urn:api", Resource(contents=DOCUMENT, specification=DRAFT202012))
METHODS = ("get", "post", "put", "patch", "delete")


def check(value: Any, schema: Any, place: str) -> None:
    # References in the document are relative to its root.
    within = json.loads(json.dumps(schema).replace('"#/', '"urn:api#/'))
    faults = list(Draft202012Validator(within, registry=REGISTRY).iter_errors(value))
    assert not faults, f"{place}: {value}: {faults[0].message}"


def examples(content: Dict[str, Any]) -> Iterator[Tuple[Any, Any]]:
    for media in content.values():
        if "example" in media:
            yield media["example"], media["schema"]
        for example in media.get("examples", {}).values():
            yield example["value"], media["schema"]


faults = list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors())
assert not faults, faults[0]
for name, schema in DOCUMENT["components"]["schemas"].items():
    Draft202012Validator.check_schema(schema)
seen: Dict[str, str] = {}
count = 0
for path, item in DOCUMENT["paths"].items():
    for method in METHODS:
        if method not in item:
            continue
        operation, place = item[method], f"{method} {path}"
        assert seen.setdefault(operation["operationId"], place) == place, place
        for value, schema in examples(operation.get("requestBody", {}).get("content", {})):
            check(value, schema, place)
            count += 1
        for parameter in [*item.get("parameters", []), *operation.get("parameters", [])]:
            if "example" in parameter:
                check(parameter["example"], parameter["schema"], f"{place} {parameter['name']}")
                count += 1
assert len(DOCUMENT["paths"]) < 10 or count > 20, count
