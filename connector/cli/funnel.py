"""A report as people read it: what became of everybody, with rates and their formula, and errors in words."""

from connector.cli.output import count, table
from connector.ledger.tables import DispatchState
from connector.model.words import TOLD_BY
from connector.report import Report, funnel


def show(report: Report, *, working: bool = True) -> None:
    """Print a report; `working`: whether anybody sends just now."""
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
        title=_heading(report, working),
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


def _heading(report: Report, working: bool) -> str:
    """A report's first line."""
    dispatches = "dispatches" if ", " in report.dispatch else "dispatch"
    cause = f" ({report.cause})" if report.cause else ""
    left = report.waiting + report.sending + report.in_doubt
    state = "waits for a worker" if report.state == DispatchState.running and left and not working else report.state
    return f"Campaign {report.campaign}, {dispatches} {report.dispatch}: {state}{cause}"
