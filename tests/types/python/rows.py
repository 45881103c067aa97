"""Real rows, as JSON on standard input ({ table: rows }), through the Pydantic models. mypy --strict checks this file."""

import json
import sys
from decimal import Decimal
from typing import Any, Dict, List, Type

import pydantic

from models import (
    ClassRow,
    EventsRow,
    InvoicesRow,
    OpenOrdersRow,
    OrdersInsert,
    OrdersRow,
    OrderTotalsRow,
    PeopleInsert,
    PeopleRow,
    PeopleUpdate,
    Status,
    TagsRow,
)

ROWS: Dict[str, Type[pydantic.BaseModel]] = {
    "people": PeopleRow,
    "class": ClassRow,
    "orders": OrdersRow,
    "invoices": InvoicesRow,
    "tags": TagsRow,
    "events": EventsRow,
    "open_orders": OpenOrdersRow,
    "order_totals": OrderTotalsRow,
}


def refused(model: Type[pydantic.BaseModel], value: Dict[str, Any]) -> None:
    try:
        model.model_validate(value)
    except pydantic.ValidationError:
        return
    raise AssertionError(f"{model.__name__} took {value}")


def check(rows: Dict[str, List[Dict[str, Any]]]) -> None:
    assert rows.keys() == ROWS.keys(), rows.keys() ^ ROWS.keys()
    for name, found in rows.items():
        assert found, f"{name} has rows"
        for row in found:
            model = ROWS[name].model_validate_json(json.dumps(row))
            # Every column is there, under its own name.
            assert row.keys() <= model.model_dump(by_alias=True).keys(), name
            refused(ROWS[name], {**row, next(iter(row)): object()})

    people = [PeopleRow.model_validate(row) for row in rows["people"]]
    ann = next(person for person in people if person.name.startswith("Ann"))
    balance: Decimal = ann.balance
    assert balance == Decimal("12.5")
    assert ann.created_at.utcoffset() is not None
    assert ann.home is not None and ann.home.house_no == 7
    assert ann.moods == ["calm", "not calm"]

    order = next(order for order in map(OrdersRow.model_validate, rows["orders"]) if order.parcel is not None)
    status: Status = order.status
    assert status == "in progress" and order.tax == 10
    assert order.parcel is not None and order.parcel.target is not None
    assert order.parcel.target.street == "Low Street"


def writes() -> None:
    person = PeopleInsert(name="Cem", email="c@example.com", home=None, balance=Decimal("1.10"))
    assert person.payload() == {"name": "Cem", "email": "c@example.com", "home": None, "balance": "1.10"}
    assert PeopleUpdate(flag=True).payload() == {"flag": True}
    assert OrdersInsert(person_id=1, total=5, status="1st").payload() == {"person_id": 1, "total": 5, "status": "1st"}
    refused(PeopleInsert, {"name": "Cem"})
    # What domains and lengths demand.
    PeopleInsert.model_validate({"name": "Cem", "email": "c@example.com", "short": "\U0001f642" * 10})
    refused(PeopleInsert, {"name": "Cem", "email": "no address"})
    refused(PeopleInsert, {"name": "Cem", "email": "c@example.com", "short": "eleven char"})
    refused(PeopleInsert, {"name": "Cem", "email": "c@example.com", "id": 1})
    refused(PeopleInsert, {"name": None, "email": "c@example.com"})
    refused(OrdersInsert, {"person_id": 1, "total": 5, "status": "closed"})
    refused(OrdersInsert, {"person_id": 1, "total": 5, "tax": 1})


check(json.load(sys.stdin))
writes()
