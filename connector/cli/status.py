"""`connector dispatches` and `connector status`: where things stand."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import rich_click as click

from connector.cli.completion import dispatch_ids
from connector.cli.output import count, document, json_option, moment, table
from connector.connector import Connector, OpenDispatch
from connector.ledger.tables import DispatchState
from connector.model.batch import utc_now
from connector.overview import AccountState, DoubtfulBatch
from connector.report import Report

COUNTED = ("recipients", "waiting", "sending", "in_doubt", "enqueue_failed", "unknown", "enqueued", "open")


@click.command("dispatches")
@json_option
@click.pass_obj
def dispatches(config: Path, as_json: bool) -> None:
    """List every dispatch, the newest first: each time that a campaign was sent to a list of people.

    Use it to find the id of a dispatch, and to see which ones are stopped, paused or in doubt.
    """
    with Connector.from_config(config) as connector:
        lines = connector.dispatches()
        working = connector.worker_is_running()
    if as_json:
        document({"dispatches": lines})
        return
    if not lines:
        click.echo("There is no dispatch yet; `connector send` starts one.")
        return
    table(
        ("id", "campaign", "state", "created", "recipients", "enqueued", "in doubt", "key", "cause"),
        [
            (
                line.id,
                line.campaign,
                _standing(line.state, line.send_at, left=line.left, is_open=line.is_open, working=working)
                + (", abandoned" if line.abandoned else ""),
                moment(line.created_at),
                count(line.recipients),
                count(line.enqueued),
                count(line.in_doubt),
                line.key or "-",
                line.cause or "",
            )
            for line in lines
        ],
        right=("recipients", "enqueued", "in doubt"),
        whole=("id", "state", "created"),
        yielding=("cause", "key", "in doubt", "enqueued", "recipients"),
        dropped=("key",),
    )


@click.command("status")
@click.argument("dispatch_id", metavar="ID", shell_complete=dispatch_ids)
@json_option
@click.pass_obj
def status(config: Path, dispatch_id: str, as_json: bool) -> None:
    """Show where a dispatch stands: its state and cause, the account's health, and everything in doubt.

    Use it when a dispatch doesn't get on, or was stopped. What is in doubt may or may not have reached the provider,
    as its answer was lost: it is looked up until that is known, and `retry` settles it by your own word. ID is the
    id or the key of a dispatch; `dispatches` lists them.
    """
    with Connector.from_config(config) as connector:
        dispatch = connector.dispatch(dispatch_id)
        report = dispatch.report()
        is_open = isinstance(dispatch, OpenDispatch) and dispatch.is_open
        doubtful = dispatch.in_doubt()
        working = connector.worker_is_running()
        account = next((each for each in connector.accounts() if each.name == dispatch.account), None)
        now = utc_now()
        silent = [each.sentence(now) for each in connector.silences() if each.integration == dispatch.integration]
        line = connector.lines.get(dispatch.integration)
        declined = {} if line is None else line.provider.declines
    if as_json:
        document(
            {
                "dispatch": report.dispatch,
                "campaign": report.campaign,
                "state": report.state,
                "cause": report.cause,
                "is_open": is_open,
                "send_at": dispatch.send_at,
                **{name: getattr(report, name) for name in COUNTED},
                "worker_running": working,
                "account": account,
                "look_up_declined": declined.get("find"),
                "replies_declined": declined.get("inbound"),
                "batches_in_doubt": doubtful,
                "silence": silent,
            }
        )
        return
    left = report.waiting + report.sending + report.in_doubt
    standing = _standing(report.state, dispatch.send_at, left=left, is_open=is_open, working=working)
    table(
        ("", ""),
        [
            ("dispatch", report.dispatch),
            ("campaign", report.campaign),
            ("state", standing + (f": {report.cause}" if report.cause else "")),
            *((("send at", moment(dispatch.send_at)),) if dispatch.send_at else ()),
            *((name, count(getattr(report, name))) for name in COUNTED),
            ("worker", "running" if working else "not running"),
            *_health(account, declined),
        ],
    )
    if doubtful:
        _show_doubt(doubtful)
    for each in silent:
        click.echo(f"\n{each}")
    for sentence in _advice(report, dispatch.send_at, doubtful, working):
        click.echo(f"\n{sentence}")


def _standing(state: str, send_at: datetime | None, *, left: int, is_open: bool, working: bool) -> str:
    """A dispatch's state for people: of what is said to run, whether anybody is at it."""
    if state == DispatchState.running and left:
        if _is_ahead(send_at):
            state = f"scheduled for {moment(send_at)}"
        elif not working:
            state = "waits for a worker"
    return state + (", open" if is_open else "")


def _is_ahead(send_at: datetime | None) -> bool:
    return send_at is not None and send_at > utc_now()


def _health(account: AccountState | None, declined: Mapping[str, str]) -> list[tuple[str, str]]:
    if account is None:
        return []
    reached = "yes"
    if account.probe_at is not None:
        reached = f"no: nothing is sent until it answers; it is asked next at {moment(account.probe_at)}"
    proven = f"seen to work on {moment(account.look_up_proven_at)}"
    if "find" in declined:
        proven = f"not possible: {declined['find']}"
    elif account.look_up_proven_at is None:
        proven = "not yet seen to work on this account; until then nothing in doubt is sent again"
    replies = f"asked for up to {moment(account.inbound_read_to)}"
    if "inbound" in declined:
        replies = f"can't be asked for: {declined['inbound']}"
    elif account.inbound_failures:
        times = "once" if account.inbound_failures == 1 else f"{account.inbound_failures} times in a row"
        replies += f"; since then {times} in vain"
    return [
        ("account", account.name),
        ("trouble", account.trouble or "none"),
        ("provider reached", reached),
        ("free for the next batch", moment(account.free_at)),
        ("look-up", proven),
        ("what people write", replies),
    ]


def _show_doubt(doubtful: list[DoubtfulBatch]) -> None:
    table(
        ("batch", "messages", "since", "cause", "looked up", "said", "next"),
        [
            (
                each.key,
                count(each.messages),
                moment(each.since),
                each.cause or "-",
                f"{each.look_ups} times",
                each.last_look_up or "-",
                "held: waits for you" if each.held else moment(each.next_look_up),
            )
            for each in doubtful
        ],
        right=("messages",),
        title="\nIn doubt",
    )


def _advice(report: Report, send_at: datetime | None, doubtful: list[DoubtfulBatch], working: bool) -> list[str]:
    sentences: list[Any] = []
    if report.state in (DispatchState.stopped, DispatchState.paused):
        sentences.append(f"To go on, once the cause is mended: connector resume {report.dispatch}")
    elif report.waiting and not working and _is_ahead(send_at):
        sentences.append("Start `connector serve` or `connector worker` before its time: one of them sends it.")
    elif (report.waiting or report.sending) and not working:
        sentences.append(f"Nothing is sent just now. To send: connector resume {report.dispatch}")
    if doubtful:
        if not working:
            sentences.append("Nothing is looked up just now: start `connector serve` or `connector worker`.")
        sentences.append(
            "Where you know better, from the provider's own pages or support:\n"
            f"  connector retry {report.dispatch} --accepted   the provider has it\n"
            f"  connector retry {report.dispatch} --resend     it hasn't: send it again\n"
            f"  connector retry {report.dispatch} --give-up    nobody can tell: count it as unknown\n"
            "Each settles everything in doubt; --batch KEY settles one batch."
        )
    return sentences
