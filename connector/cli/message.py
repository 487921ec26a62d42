"""`connector message`: what is known of one person's messages."""

import sys
from collections.abc import Iterator
from pathlib import Path

import rich_click as click

from connector.cli.output import count, document, json_option, moment, sentences, table
from connector.connector import Connector
from connector.ledger import totals
from connector.ledger.tables import BatchState
from connector.model.codes import ErrorCode
from connector.model.errors import InputError
from connector.model.event import Event, Status
from connector.model.phone import mask
from connector.model.words import REASONS, STATES
from connector.person import History, Person

STANDARD_INPUT = "-"
BESIDE = {
    "late": "a report that came after the waiting period; it changes nothing",
    "double_send": "a report on a second copy of this message",
}


@click.command("message")
@click.argument("number")
@json_option
@click.pass_obj
def message(config: Path, number: str, as_json: bool) -> None:
    """Show all that is known of one person's messages, in every dispatch, and of what the person answered.

    Use it when somebody asks what became of a message. NUMBER is the phone number in any usual spelling; `-` reads
    it from standard input, so that it does not stay in the history of your shell. The exit status is 1 if nothing
    is known of this person.
    """
    if number == STANDARD_INPUT:
        number = sys.stdin.readline().strip()
        if not number:
            raise InputError("Standard input holds no number; give it on the first line.")
    with Connector.from_config(config) as connector:
        person = connector.messages_of(number)
    known = bool(person.messages or person.other_events)
    if as_json:
        document(person)
    elif known:
        _show(person)
    else:
        sentences(
            f"Nothing is known of {mask(person.recipient)}: no dispatch has this number, and nobody wrote from it."
        )
    if not known:
        sys.exit(1)


def _show(person: Person) -> None:
    dispatches = len({each.dispatch for each in person.messages})
    sentences(
        f"{mask(person.recipient)}: {_times(len(person.messages), 'message')} in {_times(dispatches, 'dispatch', 'es')}"
    )
    for history in person.messages:
        table(
            ("", ""),
            list(_facts(history)),
            title=f"\nCampaign {history.campaign}, dispatch {history.dispatch}: {history.state}",
        )
        if history.events:
            table(("when", "what", "means"), [_told(each, history.codes) for each in history.events])
        if history.attempts and (len(history.attempts) > 1 or history.state in _UNSETTLED):
            _show_attempts(history)
        for kept in history.beside:
            click.echo(f"{moment(kept.received_at)}: {BESIDE[kept.why]} ({kept.raw_status or kept.status_code or '-'})")
    if person.other_events:
        table(
            ("when", "what", "means"),
            [_told(each, []) for each in person.other_events],
            title="\nBelongs to no message of ours",
        )


_UNSETTLED = (totals.SENDING, totals.IN_DOUBT, totals.UNKNOWN)


def _times(number: int, what: str, plural: str = "s") -> str:
    return f"{count(number)} {what}{'' if number == 1 else plural}"


def _facts(history: History) -> Iterator[tuple[str, str]]:
    yield "state", f"{history.state}: {REASONS.get(history.reason or '', history.reason) or STATES[history.state]}"
    if history.customer_id is not None:
        yield "customer id", history.customer_id
    if history.campaign_id is not None:
        yield "campaign id", history.campaign_id
    yield "message id", history.message_id
    yield "integration", history.integration
    if history.sender is not None:
        yield "sender", history.sender
    if history.country is not None:
        yield "country", history.country
    if history.number_of_message_parts is not None and history.reason is None:
        yield "message parts", str(history.number_of_message_parts)
    if history.raw_status is not None:
        yield "the provider's word", history.raw_status


def _told(event: Event, codes: list[ErrorCode]) -> tuple[str, str, str]:
    """An event as a line: when, what, and in words what its code, its reason or the person says."""
    code = event.error or (None if event.status_code is None else str(event.status_code))
    known = next((each for each in codes if each.code == code and each.source == event.status_code_source), None)
    words = [
        event.raw_status or "" if event.status == Status.noted else "",
        f"code {code}: {known.meaning.rstrip('.')}" if known is not None else f"code {code}" if code else "",
        REASONS.get(event.comment or "", event.comment or ""),
        f'"{event.text}"' if event.text else "",
        f"by operator {event.operator}" if event.operator else "",
        f"on {event.channel}" if event.channel else "",
    ]
    if not any(words[:-1]):
        words.insert(0, STATES.get(event.status, ""))
    return moment(event.occurred_at), event.status, "; ".join(filter(None, words))


def _show_attempts(history: History) -> None:
    table(
        ("attempt", "sent", "for", "ended", "cause", "the provider's id"),
        [
            (
                str(each.number),
                moment(each.sent_at),
                "at once" if each.send_at is None else moment(each.send_at),
                each.ended or "not yet",
                each.cause or "-",
                each.provider_batch_id or "-",
            )
            for each in history.attempts
        ],
        title=f"Its batch {history.batch}, which is {history.batch_state}",
    )
    if history.batch_state == BatchState.in_doubt:
        sentences(
            f"Looked up {_times(history.look_ups, 'time')}; the last answer: {history.last_look_up or '-'}; "
            f"next: {moment(history.next_look_up)}. `connector status {history.dispatch}` says more."
        )
