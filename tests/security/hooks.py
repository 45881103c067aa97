"""What JSON Schema cannot say of our bodies."""

import uuid

import schemathesis


@schemathesis.hook
def map_body(context, body):
    """JSON Schema counts 5.0 as an integer; PostgreSQL does not, and so neither do we (docs/contract.md)."""
    return whole(body)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each request is another one: a key that comes again would be answered as what it named first, and an empty one is none."""
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def map_query(context, query):
    """What `select` may say is a grammar of its own, which `make fuzz` looks at; a write with nonsense in it is refused."""
    if context.operation.method.upper() != "GET" and query and "select" in query:
        query["select"] = "*"
    return query


def whole(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value
