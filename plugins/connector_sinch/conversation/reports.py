"""Reading callbacks."""

from connector.model.report import Receipt, Report


def parse(report: Report) -> list[Receipt]:
    """Read a callback into receipts."""
    return []
