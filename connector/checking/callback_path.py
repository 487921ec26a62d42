"""Whether callbacks arrive: a rehearsed report goes through the public address, and is looked for in the ledger."""

import ipaddress
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, select

from connector.checking.finding import Finding, Result
from connector.extension.provider import Provider
from connector.http import Answer, NoAnswer, Unanswered, knock
from connector.ledger import counters
from connector.ledger.database import Ledger
from connector.ledger.tables import WhyKept, kept_reports
from connector.ledger.tables import counters as counted
from connector.model.errors import ConnectorError
from connector.tracking import callbacks

NAME = "callback path"
KEY_PREFIX = "rehearsal-"
TIMEOUT_SECONDS = 10.0
LEFT_AFTER = timedelta(minutes=5)
"""A rehearsed report that is older was left by a process that was ended."""


def prove(
    name: str,
    provider: Provider,
    integration_id: str,
    public_url: str | None,
    ledger: Ledger,
    *,
    behind: str,
    clock: Callable[[], datetime],
) -> list[Finding]:
    """Post a report as the provider would, on a batch that doesn't exist, and find it in the ledger.

    Nothing is left of it. `behind` is the address that `connector serve` listens on.
    """
    if public_url is None and not provider.supports("poll"):
        sentence = (
            "[server] public_url is not set, so the provider is given no address to report to; and it can't be asked "
            f"for reports ({provider.declines['poll']}). Set public_url: without it no message is ever known to have "
            "been delivered."
        )
        return [Finding(NAME, Result.wrong, sentence, name)]
    if public_url is None:
        sentence = (
            "[server] public_url is not set, so the provider is given no address to report to: everything is polled, "
            "while `connector serve` or `connector worker` runs, and comes some seconds or minutes later."
        )
        return [Finding(NAME, Result.not_proved, sentence, name)]
    if not provider.supports("rehearse"):
        sentence = (
            f"The plugin of {provider.title} can't rehearse a callback; the first report shows whether they come."
        )
        return [Finding(NAME, Result.not_proved, sentence, name)]
    key = KEY_PREFIX + secrets.token_hex(16)
    try:
        request = provider.rehearse(key, clock())
    except ConnectorError as error:
        return [Finding(NAME, Result.wrong, str(error), name)]
    with ledger.write() as connection:
        _remove_left_ones(connection, clock() - LEFT_AFTER)
        before = counters.read(connection).get(integration_id, {})
    started = time.monotonic()
    answer: Answer | Unanswered
    try:
        url = f"{public_url}{callbacks.PATH}{integration_id}/{key}"
        answer = knock(url, request.body, request.headers, timeout_seconds=TIMEOUT_SECONDS)
    except NoAnswer as error:
        answer = error.why
    took_seconds = time.monotonic() - started
    with ledger.write() as connection:
        arrived = _take_out(connection, integration_id, key, before)
    if not arrived:
        return [Finding(NAME, Result.wrong, _what_happened(answer, public_url, behind, ledger), name)]
    proved = f"A rehearsed report went to {public_url} and was in the ledger after {max(took_seconds, 0.1):.1f} s."
    return [
        Finding(NAME, Result.ok, proved, name),
        Finding("callbacks from outside", Result.not_proved, _from_outside(public_url), name),
    ]


def _remove_left_ones(connection: Connection, before: datetime) -> None:
    connection.execute(
        delete(kept_reports).where(
            kept_reports.c.why == WhyKept.unmatched,
            # A range of the index: "." comes after "-".
            kept_reports.c.batch_key >= KEY_PREFIX,
            kept_reports.c.batch_key < KEY_PREFIX[:-1] + ".",
            kept_reports.c.received_at < before,
        )
    )


def _take_out(connection: Connection, integration_id: str, key: str, before: dict[str, int]) -> bool:
    """Remove every trace of a rehearsed report; whether there was one."""
    rows = connection.execute(
        select(kept_reports.c.why).where(kept_reports.c.batch_key == key, kept_reports.c.integration == integration_id)
    ).all()
    connection.execute(delete(kept_reports).where(kept_reports.c.batch_key == key))
    for row in rows:
        counters.add(connection, integration_id, row.why, -1)
    now = counters.read(connection).get(integration_id, {})
    for name in ("forged", "stale"):
        if now.get(name, 0) > before.get(name, 0):
            counters.add(connection, integration_id, name, -1)
    connection.execute(delete(counted).where(counted.c.count <= 0))
    return bool(rows)


def _from_outside(public_url: str) -> str:
    if is_local(public_url):
        return (
            f"Only this machine or network reaches {public_url}: right for a simulator, but no provider on the "
            "internet can call it. For one, give an address that the internet reaches."
        )
    return (
        f"That the provider itself reaches {public_url}, past every firewall, shows with its first report; "
        "--test-number NUMBER brings one."
    )


def is_local(url: str) -> bool:
    """Whether an address is one that nobody on the internet reaches."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host


def _what_happened(answer: Answer | Unanswered, public_url: str, behind: str, ledger: Ledger) -> str:
    if isinstance(answer, Unanswered):
        return _silence(answer, public_url, behind)
    ours = _ours(answer, public_url, ledger)
    if ours is not None:
        return ours
    told = f"HTTP {answer.status}{_phrase(answer.status)}"
    match answer.status:
        case status if 300 <= status < 400:
            return (
                f"{public_url} sends callers on to {_target(answer)} ({told}), and a provider doesn't follow. "
                "Give the address that it leads to as [server] public_url."
            )
        case 401 | 403 | 407:
            return (
                f"Something before the connector at {public_url} lets nobody in ({told}): a login, a firewall. Let "
                f"POST requests to {callbacks.PATH} through without one; the connector itself checks who sent them."
            )
        case 502 | 503 | 504:
            return (
                f"What answers at {public_url} reaches no connector ({told}). It must pass on to {behind}, where "
                "`connector serve` listens, and that must run."
            )
        case _:
            return (
                f"What answers at {public_url} is not this connector ({told}), and the report is not in the ledger. "
                f"It must pass {callbacks.PATH} on to {behind}, where `connector serve` listens."
            )


def _ours(answer: Answer, public_url: str, ledger: Ledger) -> str | None:
    """What an answer in a connector's own words means; None: it isn't one."""
    known = {
        callbacks.STORED: (
            f"A connector answers at {public_url} that keeps another ledger: what it took is not in {ledger.path}. "
            "Stop that one, or give both the same [storage] url with its full path."
        ),
        callbacks.NOT_KNOWN: (
            f"A connector answers at {public_url} that doesn't know this integration: it was started with other "
            "settings, or keeps another ledger. Restart `connector serve` with these settings."
        ),
        callbacks.FORGED: (
            f"The connector at {public_url} took the report for forged: it was started with another callback secret or "
            "password than this command reads. Give both the same, and restart `connector serve`."
        ),
        callbacks.NOT_HERE: (
            f"A connector answers at {public_url}, but requests arrive there with another path. Whatever stands before "
            f"it must pass {callbacks.PATH} on as it is."
        ),
        callbacks.NOT_STORED: (
            f"The connector at {public_url} could not store the report; what it prints, or its log, says why."
        ),
    }
    return next(
        (
            sentence
            for response, sentence in known.items()
            if (response.status, response.body) == (answer.status, answer.body)
        ),
        None,
    )


def _silence(why: Unanswered, public_url: str, behind: str) -> str:
    host = urlsplit(public_url).hostname
    match why:
        case Unanswered.unknown_host:
            return f"The internet knows no machine named {host}. Look for a slip in [server] public_url, or in its DNS."
        case Unanswered.refused:
            return (
                f"Nothing listens at {public_url}. It must lead to {behind}, where `connector serve` listens, "
                "or to your program that takes callbacks; check its port, too."
            )
        case Unanswered.certificate:
            return (
                f"{host} shows no certificate that can be trusted: it has run out, is self-signed, or is for another "
                "name. A provider refuses it, too: get one that is right."
            )
        case Unanswered.encryption:
            return f"{public_url} doesn't speak HTTPS as it should. If there is no encryption there, write http://."
        case Unanswered.too_slow:
            return (
                f"{public_url} did not answer within {TIMEOUT_SECONDS:.0f} seconds: a firewall may swallow requests, "
                f"or what answers there can't reach {behind}."
            )
        case Unanswered.unreachable:
            return (
                f"No way leads to {public_url} from here: check the network, a firewall, and the settings of a proxy."
            )
        case Unanswered.broken_off:
            return (
                f"{public_url} broke off the connection, or what listens there is no web server. Check its port, and "
                "whether it is http:// or https://."
            )


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _target(answer: Answer) -> str:
    target = urlsplit(answer.headers.get("location", ""))
    if not target.netloc or "@" in target.netloc:
        return "another address"
    return f"{target.scheme or 'https'}://{target.netloc}{target.path.partition(callbacks.PATH)[0]}"
