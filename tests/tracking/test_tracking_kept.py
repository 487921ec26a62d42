"""Reports that can't be read: known again by their content, and not kept without end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from courier import ADA, Courier, send_to, take

from connector.connector import Connector
from connector.ledger.tables import WhyKept
from connector.model.report import Receipt, ReceiptKind
from connector.tracking.kept import UNREADABLE_KEPT


@pytest.fixture
def connector(tmp_path: Path) -> Iterator[Connector]:
    with Courier().connect(tmp_path, "house", "other") as made:
        yield made


def unreadable(*places: int) -> list[Receipt]:
    return [Receipt(ReceiptKind.unknown, problem=f"is of type {place}") for place in places]


def test_of_unreadable_reports_the_latest_are_kept_and_all_are_counted(connector: Connector) -> None:
    take(connector, *unreadable(*range(3)), integration="other")
    take(connector, Receipt(ReceiptKind.message, batch_key="nobody-b0-0", recipient=ADA))
    take(connector, *unreadable(*range(UNREADABLE_KEPT + 5)))
    assert connector.kept(WhyKept.unreadable) == UNREADABLE_KEPT + 3
    assert connector.kept(WhyKept.unmatched) == 1
    assert connector.counters()["house"][WhyKept.unreadable] == UNREADABLE_KEPT + 5
    latest = connector.kept_reports(WhyKept.unreadable, limit=UNREADABLE_KEPT + 3)
    assert latest[0].problem == f"is of type {UNREADABLE_KEPT + 4}"
    assert [each.integration for each in latest if each.problem == "is of type 2"] == ["other"]


def test_a_repeat_is_only_counted(connector: Connector) -> None:
    send_to(connector, ADA)
    for _ in range(2):
        take(connector, *unreadable(1, 2, 1))
    take(connector, *unreadable(1), integration="other")
    assert connector.kept(WhyKept.unreadable) == 3
    assert connector.counters()["house"][WhyKept.unreadable] == 6
