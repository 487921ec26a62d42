"""What a sink's settings are worth: its secrets, what the platform says to them, and how it is doing."""

from connector.checking.finding import Finding, Result, found_by_sink
from connector.checking.integration import SECRETS, secrets_of
from connector.extension.sink import Sink, SinkSettings
from connector.model.errors import ConnectorError, InputError


def try_sink(name: str, sink: Sink, settings: SinkSettings | None) -> list[Finding]:
    """Read the secrets, and ask the platform, without writing anything there, whether it takes them.

    `settings`: None for a sink of the host's program, which has none.
    """
    unread = []
    for setting, secret in secrets_of(settings) if settings is not None else ():
        try:
            secret.value()
        except InputError as error:
            unread.append(Finding(SECRETS, Result.wrong, f"{setting} can't be read. {error}", sink=name))
    if unread:
        # Asking without them would only say the same once more.
        return unread
    try:
        return found_by_sink(name, sink.check())
    except ConnectorError as error:
        return [Finding("platform", Result.wrong, str(error), sink=name)]
    except (Exception, SystemExit) as error:
        sentence = f"The sink failed while it checked this ({type(error).__name__})."
        return [Finding("platform", Result.not_proved, f"{sentence} Please tell its author.", sink=name)]


def doing(name: str, *, trouble: str | None, waiting: int, refused: int) -> list[Finding]:
    """What the ledger knows of a sink's work."""
    found = []
    if trouble is not None:
        events = "1 event waits" if waiting == 1 else f"{waiting:,} events wait"
        found.append(Finding("events", Result.wrong, f"{events} for it: {trouble}", sink=name))
    if refused:
        events = "1 event" if refused == 1 else f"{refused:,} events"
        sentence = f"It refused {events}: `connector sinks {name}` shows its words."
        found.append(Finding("refused events", Result.wrong, sentence, sink=name))
    return found
