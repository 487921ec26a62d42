"""`connector pause`, `resume`, `cancel` and `retry`: a person decides."""

import sys
from pathlib import Path

import rich_click as click

from connector.cli.completion import dispatch_ids
from connector.cli.following import conclude, follow, read_secrets
from connector.cli.output import count, counted, document, json_option, say, sentences
from connector.connector import Connector, Rechecked
from connector.ledger.tables import DispatchState
from connector.model.event import SkipReason

SETTLED = {
    "accepted": "counted as accepted; their reports are waited for",
    "resend": "to be sent again",
    "give_up": "counted as unknown; a later proof still moves them on",
}


@click.command("pause")
@click.argument("dispatch_id", metavar="ID", shell_complete=dispatch_ids)
@json_option
@click.pass_obj
def pause(config: Path, dispatch_id: str, as_json: bool) -> None:
    """Stop sending a dispatch for now; `resume` goes on with it.

    Use it when something in a campaign that is under way looks wrong. What is on its way to the provider just now
    still goes out; delivery reports go on coming in. ID is the id or the key of a dispatch; `dispatches` lists them.
    """
    with Connector.from_config(config) as connector:
        dispatch = connector.dispatch(dispatch_id)
        if dispatch.report().state == DispatchState.running:
            dispatch.pause()
        report = dispatch.report()
    if as_json:
        document({"dispatch": report.dispatch, "state": report.state, "cause": report.cause, "waiting": report.waiting})
    elif report.state == DispatchState.paused:
        sentences(
            f"The dispatch {report.dispatch} is paused; {counted(report.waiting, 'message waits', 'messages wait')}."
        )
        sentences(f"To go on: connector resume {report.dispatch}")
    else:
        sentences(f"There is nothing to pause: the dispatch {report.dispatch} is {report.state}.")


@click.command("resume")
@click.argument("dispatch_id", metavar="ID", shell_complete=dispatch_ids)
@click.option("--wait", is_flag=True, help="Go on until every message is delivered, failed or otherwise final.")
@click.option(
    "--recheck",
    is_flag=True,
    help="The ledger was put back from a backup: look up everything that waits in it, of all dispatches, before any of "
    "it is sent.",
)
@json_option
@click.pass_obj
def resume(config: Path, dispatch_id: str, wait: bool, recheck: bool, as_json: bool) -> None:
    """Go on with a dispatch that was paused, stopped or interrupted.

    Use it after mending what stopped it, such as a wrong token. Nobody who has got the message gets it again. ID is
    the id or the key of a dispatch; `dispatches` lists them.
    """
    with Connector.from_config(config) as connector:
        dispatch = connector.dispatch(dispatch_id)
        if not connector.worker_is_running():
            read_secrets(connector, [dispatch.integration])
        if dispatch.report().state == DispatchState.cancelled:
            say(f"The dispatch {dispatch.id} was cancelled, and can't be taken up again.")
            sys.exit(1)
        if recheck:
            _tell(connector.recheck())
        dispatch.resume()
        interrupted = False
        if dispatch.report().state != DispatchState.planning:
            interrupted = follow(connector, dispatch, final=wait)
        conclude(connector, dispatch, as_json=as_json, final=wait, interrupted=interrupted)


def _tell(found: Rechecked) -> None:
    looked_up = found.waited - found.accepted - found.held
    say(
        f"Of {counted(found.waited, 'batch', 'batches')} that waited, the provider has {count(found.accepted)} "
        f"already; {count(looked_up)} are looked up, and sent once they are surely not there."
    )
    if found.held:
        say(
            f"{counted(found.held, 'batch waits', 'batches wait')} for your word, as nobody can tell what went out: "
            "`connector status` shows each with the reason, `connector retry` settles it."
        )
    for dispatch_id in found.closed:
        say(
            f"The open dispatch {dispatch_id} takes no more messages, as what was added to it since the backup is not "
            "known here. Open another one under a new key."
        )
    for dispatch_id in found.unknown:
        say(
            f"The provider has messages of a dispatch {dispatch_id}, which was made after the backup and is not known "
            "here: sending that campaign again would reach the same people twice."
        )


@click.command("cancel")
@click.argument("dispatch_id", metavar="ID", shell_complete=dispatch_ids)
@click.option("--yes", is_flag=True, help="Don't ask before it is cancelled.")
@json_option
@click.pass_obj
def cancel(config: Path, dispatch_id: str, yes: bool, as_json: bool) -> None:
    """End a dispatch for good: nobody who still waits gets the message.

    Use it when a campaign must not go on; `pause` is for one that may. What the provider has taken and not sent yet
    is called back there, as far as the provider allows it. ID is the id or the key of a dispatch; `dispatches` lists
    them.
    """
    with Connector.from_config(config) as connector:
        dispatch = connector.dispatch(dispatch_id)
        report = dispatch.report()
        question = (
            f"Cancel the campaign {report.campaign}, of which {report.waiting:,} of {report.recipients:,} messages "
            "still wait? It can't be taken up again."
        )
        if not yes and sys.stdin.isatty() and sys.stderr.isatty() and not click.confirm(question, err=True):
            say("Nothing was cancelled.")
            sys.exit(1)
        if report.state == DispatchState.planning:
            say("Its recipients are still being read, and nothing of it is sent: end that `send` with Ctrl-C.")
            sys.exit(1)
        news = dispatch.cancel()
        # Where nobody else works, the provider is asked here.
        follow(connector, dispatch, final=False)
        report = dispatch.report()
    if as_json:
        document({"dispatch": report.dispatch, "state": report.state, "skipped": report.skipped.total})
        return
    if not news:
        was = "was cancelled before" if report.state == DispatchState.cancelled else "has come to its end"
        sentences(f"There is nothing to cancel: the dispatch {report.dispatch} {was}.")
        return
    withdrawn = report.skipped.by_reason.get(SkipReason.cancelled, 0)
    not_sent = counted(withdrawn, "message that waited is not sent", "messages that waited are not sent")
    sentences(f"The dispatch {report.dispatch} is cancelled: {not_sent}.")
    if report.open:
        sentences(
            f"{counted(report.open, 'message was', 'messages were')} with the provider already, to be called back "
            f"where it still allows that. For whom it came too late is told by their reports: "
            f"connector report {report.dispatch}"
        )


@click.command("retry")
@click.argument("dispatch_id", metavar="ID", shell_complete=dispatch_ids)
@click.option(
    "--accepted", "verdicts", multiple=True, flag_value="accepted", help="The provider has it: wait for its reports."
)
@click.option(
    "--resend", "verdicts", multiple=True, flag_value="resend", help="The provider hasn't got it: send it again."
)
@click.option(
    "--give-up", "verdicts", multiple=True, flag_value="give_up", help="Nobody can tell: count it as unknown."
)
@click.option(
    "--batch",
    "batch_key",
    metavar="KEY",
    help="Only the batch with this key, as `status` shows it; else everything in doubt.",
)
@json_option
@click.option_panel("Your word: one of these", options=["--accepted", "--resend", "--give-up"])
@click.option_panel("Of what", options=["--batch"])
@click.option_panel("Other options", options=["--json", "--help"])
@click.pass_obj
def retry(config: Path, dispatch_id: str, verdicts: tuple[str, ...], batch_key: str | None, as_json: bool) -> None:
    """Settle what is in doubt by your own word: accepted, to be sent again, or given up.

    Use it when `status` shows batches in doubt and you know more than the connector, from the provider's own pages
    or support. Sending again what was accepted after all messages those people twice. ID is the id or the key of a
    dispatch; `dispatches` lists them.
    """
    if len(verdicts) != 1:
        raise click.UsageError("Say one of --accepted, --resend and --give-up.")
    (verdict,) = verdicts
    with Connector.from_config(config) as connector:
        dispatch = connector.dispatch(dispatch_id)
        batches = dispatch.retry(verdict, batch_key=batch_key)
    if as_json:
        document({"dispatch": dispatch.id, "verdict": verdict, "batches": batches})
        return
    sentences(f"{count(batches)} {'batch is' if batches == 1 else 'batches are'} {SETTLED[verdict]}.")
    if verdict == "resend":
        sentences(f"Unless a worker runs already: connector resume {dispatch.id}")
