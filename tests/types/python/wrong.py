"""What mypy must refuse: every line with a call is an error, and the test counts them."""

from models import OrdersInsert, OrdersRow, PeopleInsert, PeopleUpdate


def wrong(order: OrdersRow) -> None:
    PeopleInsert(name="Cem")
    PeopleInsert(name=1, email="c@example.com")
    PeopleUpdate(name=None)
    OrdersInsert(person_id=1, total=5, status="closed")
    OrdersInsert(person_id=1, total=5, tax=1)
    order.nothing()
