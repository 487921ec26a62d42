"""Reading a callback: who sent it, what it says, and what to answer."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.model.callback import Request, Response, Verdict
from connector.model.errors import without_words
from connector.model.report import Receipt, ReceiptKind, Report, ReportSource

logger = logging.getLogger("connector.tracking")

PATH = "/webhooks/"
MAX_BODY_BYTES = 1_000_000

TOO_LARGE = Response(413, b"The body is over 1 MB.\n")
STORED = Response(200, b"Stored.\n")
NOT_STORED = Response(503, b"The report could not be stored; send it again.\n")
NOT_KNOWN = Response(503, b"This address is not known here (yet); send it again.\n")
FORGED = Response(401, b"The signature or the credentials are wrong or missing.\n")
NOT_HERE = Response(404, b"Callbacks are taken at /webhooks/.\n")
NOT_POST = Response(405, b"Callbacks are posted.\n")


@dataclass(frozen=True, slots=True)
class Read:
    """A callback that was read: what to store before it is answered."""

    integration: str
    receipts: list[Receipt]
    counts: dict[str, str]
    """Things to count: name to integration id."""


Find = Callable[[str], Provider | None]
"""From an integration's id to its provider; None: not known. Raises `LedgerError`."""


def address(path: str) -> tuple[str, str | None] | None:
    """The integration's id and the batch key in a callback's path."""
    if not path.startswith(PATH):
        return None
    integration, _, key = path[len(PATH) :].strip("/").partition("/")
    return (integration, key or None) if integration else None


def read(request: Request, *, find: Find, plugins: Plugins, now: datetime) -> Read | Response:
    """Verify and read one callback; an answer where there is nothing to store.

    Only a wrong signature and a wrong address keep a report out: what can't be read is kept and counted.
    """
    place = address(request.path)
    if place is None:
        return NOT_HERE
    if request.method != "POST":
        return NOT_POST
    if len(request.body) > MAX_BODY_BYTES:
        return too_large(request.path)
    integration, key = place
    provider = find(integration)
    if provider is None:
        return NOT_KNOWN
    counts: dict[str, str] = {}
    if provider.supports("verify"):
        verdict = provider.verify(request, now_seconds=now.timestamp())
        if verdict is Verdict.forged:
            return Read(integration, [], {"forged": integration})
        if verdict is Verdict.stale:
            counts["stale"] = integration
    report = Report(ReportSource.callback, request.body, now, batch_key=key)
    try:
        receipts = list(plugins.map_events(provider, report))
    except Exception as error:
        logger.error("The plugin of %s failed to read a report; it is kept: %s", provider.name, without_words(error))
        problem = f"the plugin failed: {type(error).__name__}"
        receipts = [
            Receipt(
                ReceiptKind.unknown,
                problem=problem,
                batch_key=key,
                payload={"body": request.body.decode("utf-8", "replace")},
            )
        ]
    return Read(integration, receipts, counts)


def too_large(path: str) -> Read | Response:
    """A callback whose body is over the limit: it is counted, and not read."""
    place = address(path)
    return TOO_LARGE if place is None else Read(place[0], [], {"too_large": place[0]})


def answer(read_: Read) -> Response:
    """The answer to a callback whose receipts and counts are durable now."""
    if "too_large" in read_.counts:
        return TOO_LARGE
    return FORGED if "forged" in read_.counts else STORED
