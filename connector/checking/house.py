"""What stands around the integrations: the ledger, the accounts as it knows them, and who works on it just now."""

from sqlalchemy import Connection

from connector.checking.finding import Finding, Result
from connector.extension.provider import Provider
from connector.ledger import schema
from connector.ledger.database import Ledger
from connector.model.errors import LedgerError
from connector.overview import accounts_of


def storage(ledger: Ledger) -> Finding:
    """Whether the ledger opens and has this version's tables."""
    try:
        with ledger.write():
            return Finding("ledger", Result.ok, f"{ledger.path} opens and can be written (schema {schema.HEAD}).")
    except LedgerError as error:
        return Finding("ledger", Result.wrong, str(error))


def account(name: str, provider: Provider, connection: Connection) -> list[Finding]:
    """What the ledger knows of an integration's account: its health, and whether look-ups were seen to work."""
    known = next((each for each in accounts_of(connection) if each.name == provider.account), None)
    found = []
    if known is not None and known.probe_at is not None:
        sentence = f"Nothing is sent through {known.name} until it answers again: {known.trouble or 'it failed'}"
        found.append(Finding("account", Result.wrong, sentence, name))
    elif known is not None and known.inbound_failures:
        times = "once" if known.inbound_failures == 1 else f"{known.inbound_failures} times in a row"
        since = f"{known.inbound_read_to:%Y-%m-%d %H:%M} UTC" if known.inbound_read_to else "ever"
        sentence = f"{known.name} was asked {times} in vain for what people wrote since {since}. {known.trouble or ''}"
        found.append(Finding("account", Result.wrong, sentence, name))
    if not provider.supports("find"):
        sentence = (
            f"{provider.title} can't be asked whether it has a batch ({provider.declines['find']}): what is in doubt "
            "after a lost answer waits for its report, or for you."
        )
        found.append(Finding("look-up", Result.not_proved, sentence, name))
    elif known is None or known.look_up_proven_at is None:
        sentence = (
            "Whether the provider shows an accepted batch again, which is what keeps a lost answer from becoming a "
            "second message, is seen with the first batch. Until then nothing in doubt is sent again."
        )
        found.append(Finding("look-up", Result.not_proved, sentence, name))
    else:
        sentence = f"The provider shows accepted batches again: seen on {known.look_up_proven_at:%Y-%m-%d %H:%M} UTC."
        found.append(Finding("look-up", Result.ok, sentence, name))
    return found


def workers(*, receiving: bool, working: bool, called_back: bool) -> list[Finding]:
    """Who takes callbacks and who works just now; `called_back`: callbacks are wanted."""
    found = []
    if receiving:
        found.append(
            Finding("server", Result.ok, "`connector serve`, or a program of yours, takes callbacks just now.")
        )
    elif called_back:
        sentence = (
            "No `connector serve` runs on this ledger just now, and no program of yours that takes callbacks. Run one "
            "all the time: it takes reports and replies."
        )
        found.append(Finding("server", Result.not_proved, sentence))
    if working:
        found.append(Finding("worker", Result.ok, "A worker sends, looks up and polls what is due."))
    else:
        sentence = (
            "No worker runs just now. `connector send` sends by itself; what is due later (reports, replies, doubt, "
            "campaigns for a later time) is done by `connector serve` or `connector worker`."
        )
        found.append(Finding("worker", Result.not_proved, sentence))
    return found
