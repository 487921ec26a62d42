"""A report as people read it: what became of everybody, with rates and their formula, and errors in words."""

from connector.cli.output import count, table
from connector.model.words import TOLD_BY
from connector.report import Report, funnel


def show(report: Report, heading: str) -> None:
    """Print a report under a heading."""
    table(
        ("what", "messages", "rate", "rate is, or what it means"),
        [
            (
                "  " * line.depth + line.name,
                count(line.messages),
                line.rate,
                f"{line.name} / {line.of}" if line.of else line.meaning,
            )
            for line in funnel(report)
        ],
        right=("messages", "rate"),
        title=heading,
    )
    if report.errors:
        table(
            ("ended as", "code", "messages", "meaning", "told by"),
            [
                (
                    error.status,
                    error.code or "-",
                    count(error.count),
                    error.meaning or "no meaning is known",
                    TOLD_BY.get(error.status_code_source or "", "-"),
                )
                for error in report.errors
            ],
            right=("messages",),
            title="\nErrors; `connector explain CODE` says whose turn it is",
        )
