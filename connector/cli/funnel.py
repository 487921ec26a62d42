"""A report as people read it: what became of everybody, with rates and their formula, and errors in words."""

from connector.cli.output import count, rate, table
from connector.cli.words import REASONS
from connector.report import Report

Line = tuple[str, int, str, str]
"""Label, messages, rate, and the formula of the rate or what the label means."""


def show(report: Report, heading: str) -> None:
    """Print a report under a heading."""
    table(
        ("what", "messages", "rate", "rate is, or what it means"),
        [(label, count(messages), share, note) for label, messages, share, note in _lines(report)],
        right=("messages", "rate"),
        title=heading,
    )
    if report.errors:
        table(
            ("ended as", "code", "of", "messages", "meaning"),
            [
                (
                    error.status,
                    str(error.error or error.status_code or "-"),
                    error.status_code_source or "-",
                    count(error.count),
                    error.meaning or "no meaning is known",
                )
                for error in report.errors
            ],
            right=("messages",),
            title="\nErrors",
        )


def _lines(report: Report) -> list[Line]:
    tried = report.recipients - report.skipped.total
    enqueued = report.enqueued

    def share(label: str, messages: int, whole: int, formula: str) -> Line:
        return label, messages, rate(messages, whole), f"{label.strip()} / {formula}"

    return [
        ("recipients", report.recipients, "", "rows of the file"),
        share("  skipped", report.skipped.total, report.recipients, "recipients"),
        *(
            (f"    {reason}", messages, "", REASONS.get(reason, ""))
            for reason, messages in report.skipped.by_reason.items()
        ),
        ("  waiting", report.waiting, "", "not sent yet"),
        ("  sending", report.sending, "", "on the way to the provider"),
        ("  in_doubt", report.in_doubt, "", "may have been accepted; looked up until it is known"),
        share("  enqueue_failed", report.enqueue_failed, tried, "(recipients - skipped)"),
        ("  unknown", report.unknown, "", "given up finding out"),
        share("  enqueued", enqueued, tried, "(recipients - skipped)"),
        share("    open", report.open, enqueued, "enqueued"),
        share("    unconfirmed", report.unconfirmed, enqueued, "enqueued"),
        share("    rejected", report.rejected, enqueued, "enqueued"),
        share("    failed", report.failed, enqueued, "enqueued"),
        share("    delivered", report.delivered, enqueued, "enqueued"),
        share("      read", report.read, report.delivered, "delivered"),
        ("number_of_message_parts", report.number_of_message_parts, "", "of the enqueued; what is billed"),
        ("report_not_expected", report.report_not_expected, "", "open or unconfirmed, to countries without reports"),
        ("late", report.late, "", "reports that came after the waiting period"),
        ("double_send", report.double_send, "", "accepted twice by the provider"),
    ]
