"""`connector sinks`, `replay` and `discard`: how events reach the platforms."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import rich_click as click

from connector.cli.completion import dispatch_ids, sink_names
from connector.cli.events import time_of
from connector.cli.output import count, document, json_option, moment, say, table
from connector.connector import Connector, SinkState
from connector.model.errors import ConfigurationError

SHOWN = 100


@click.command("sinks")
@click.argument("sink", required=False, metavar="[SINK]", shell_complete=sink_names)
@click.option("--resume", is_flag=True, help="Let SINK, which is stopped or waits, try again at once.")
@json_option
@click.pass_obj
def sinks(config: Path, sink: str | None, resume: bool, as_json: bool) -> None:
    """Show how far each platform has taken the events, how fast, what troubles it, and what it refused.

    Use it when a platform seems to miss something. With SINK, a name of the configuration, the events that this one
    refused for good are listed with its words: mend the cause, then `connector replay` sends them again, or
    `connector discard` gives them up. A sink whose credentials are refused is stopped until --resume, or until
    `serve` or `worker` starts again; the events wait meanwhile. A sink that was taken out of the configuration is
    listed until `connector discard SINK --forget`. The exit status is 1 if a sink is stopped.
    """
    if resume and sink is None:
        raise click.UsageError("--resume wants the name of a sink.")
    with Connector.from_config(config) as connector:
        if resume and sink is not None:
            connector.resume_sink(sink)
        states = [state for state in connector.sinks() if sink in (None, state.name)]
        refused = [] if sink is None else connector.refused_events(sink, limit=SHOWN)
        works = connector.worker_is_running()
        # A program's sinks are handed nothing by who works elsewhere.
        read = {each.name for each in states if (works and not each.of_program) or connector.sink_is_read(each.name)}
    if as_json:
        document({"sinks": states, **({} if sink is None else {"refused": refused})})
    elif not states:
        click.echo("No sink is configured; a [sinks.NAME] table of the configuration makes one.")
    else:
        table(
            ["sink", "waiting", "again", "events/s", "refused", "left out", "state"],
            [
                [
                    state.name,
                    count(state.lag),
                    count(state.again + state.replaying),
                    _pace(state),
                    count(state.dead_letters),
                    count(state.left_out),
                    _state(state, is_read=state.name in read),
                ]
                for state in states
            ],
            right=["waiting", "again", "events/s", "refused", "left out"],
            whole=["sink"],
        )
        if any(state.left_out for state in states):
            say(
                "Left out are events of people without an id that the platform wants, such as replies of strangers; a "
                "replay counts them once more."
            )
        for state in states:
            if not state.is_configured:
                say(
                    f"{state.name} is no longer configured, so nothing goes there. With its table [sinks.{state.name}] "
                    "back in the configuration it goes on where it was. To forget it, with what it refused: "
                    f"connector discard {state.name} --forget"
                )
        if refused:
            click.echo("")
            table(
                ["number", "status", "refused at", "tries", "dispatch", "reason"],
                [
                    [
                        str(each.number),
                        each.status.value,
                        moment(each.refused_at),
                        str(each.tries),
                        each.dispatch or "-",
                        each.reason + (" (goes again)" if each.again else ""),
                    ]
                    for each in refused
                ],
                right=["number", "tries"],
                title="Refused, latest first",
            )
            earlier = sum(state.dead_letters for state in states) - len(refused)
            if earlier > 0:
                say(f"Shown are the latest {count(len(refused))}; {count(earlier)} more were refused before.")
    if any(state.is_stopped and state.is_configured for state in states):
        sys.exit(1)


def _pace(state: SinkState) -> str:
    pace = state.events_per_second
    if pace is None:
        return "-"
    return count(round(pace)) if pace >= 100 else f"{pace:.3g}"


def _state(state: SinkState, *, is_read: bool) -> str:
    if not state.is_configured:
        return "no longer configured"
    if state.is_stopped:
        return f"STOPPED: {state.trouble}"
    if state.trouble is not None:
        # Whether a program works shows only while it hands events over, which it doesn't do between two tries.
        who = "while your program works" if state.of_program else "once `connector serve` or `worker` runs"
        if state.next_try is None:
            return f"tried again {'now' if is_read else who}; before: {state.trouble}"
        return f"tried again at {moment(state.next_try)}{'' if is_read else f', {who}'}: {state.trouble}"
    if state.lag + state.again + state.replaying == 0:
        return "up to date"
    if state.of_program:
        return "taken while your program works"
    return "taking events" if is_read else "waits for `connector serve` or `worker`"


@click.command("replay")
@click.argument("sink", metavar="SINK", shell_complete=sink_names)
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER]...")
@click.option("--refused", is_flag=True, help="All events that it refused, in place of the numbered ones.")
@click.option(
    "--since", metavar="TIME", callback=time_of, help="What was recorded at this time or later, as in 2026-12-01T09:00."
)
@click.option("--until", metavar="TIME", callback=time_of, help="What was recorded before this time.")
@click.option("--dispatch", "dispatch_id", metavar="ID", shell_complete=dispatch_ids, help="What is of this dispatch.")
@json_option
@click.pass_obj
def replay(
    config: Path,
    sink: str,
    numbers: Sequence[int],
    refused: bool,
    since: datetime | None,
    until: datetime | None,
    dispatch_id: str | None,
    as_json: bool,
) -> None:
    """Send events to a platform once more, under the same ids: what it refused, has lost, or was added too late for.

    Use it after the cause of a refusal is mended, with the NUMBERs that `connector sinks SINK` lists, or --refused;
    or, with a time or a dispatch, after a platform has lost data, or to give it what happened before it was added:
    all that SINK is configured to get goes there. Most platforms don't see that an event comes twice: what they have
    not lost will count again. `serve`, `worker` or `send` hand the events over, beside what is new, and `connector
    sinks` shows how many are still to come.
    """
    by_place = since is not None or until is not None or dispatch_id is not None
    if bool(numbers) + refused + by_place != 1:
        raise click.UsageError("Say what: NUMBERs, or --refused, or a time (--since, --until) or a --dispatch.")
    with Connector.from_config(config) as connector:
        asked = recorded = None
        if by_place:
            recorded = connector.replay(sink, since=since, until=until, dispatch=dispatch_id)
        else:
            asked = connector.replay_refused(sink, None if refused else list(numbers))
    if as_json:
        document({"sink": sink, "refused": asked, "recorded": recorded})
    elif recorded is not None:
        there = f"{count(recorded)} event{' was' if recorded == 1 else 's were'} recorded there."
        goes = (
            f"All of it that {sink} is configured to get goes there: what it has had comes again, and what happened "
            "before it was added comes, too."
        )
        click.echo(f"{there} {goes}" if recorded else "Nothing was recorded there that isn't still to come.")
    elif asked is not None:
        click.echo(f"{count(asked)} refused event{'' if asked == 1 else 's'} will be sent to {sink} once more.")
    if asked == 0:
        say(f"`connector sinks {sink}` lists what it refused.")


@click.command("discard")
@click.argument("sink", metavar="SINK", shell_complete=sink_names)
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER]...")
@click.option("--refused", is_flag=True, help="All events that it refused, in place of the numbered ones.")
@click.option(
    "--forget", is_flag=True, help="The sink itself, which is no longer configured, with all that it refused."
)
@click.option("--yes", is_flag=True, help="Don't ask before a sink of a program is forgotten.")
@json_option
@click.pass_obj
def discard(
    config: Path, sink: str, numbers: Sequence[int], refused: bool, forget: bool, yes: bool, as_json: bool
) -> None:
    """Give up events that a platform refused: they are not sent again, and not listed any more.

    Use it when the platform is right not to take them. The NUMBERs are those that `connector sinks SINK` lists. The
    events stay in the log; only this sink never gets them. With --forget a sink that was taken out of the configuration
    is listed no longer; under the same name it would begin anew.
    """
    if bool(numbers) + refused + forget != 1:
        raise click.UsageError(
            "Say what: NUMBERs, or --refused for all that it refused, or --forget for a sink that is no longer "
            "configured."
        )
    with Connector.from_config(config) as connector:
        if forget:
            if not yes and _is_kept_for_its_program(connector, sink):
                say("Nothing was forgotten.")
                sys.exit(1)
            given_up = connector.forget_sink(sink)
        else:
            given_up = connector.discard_refused(sink, None if refused else list(numbers))
    events = f"{count(given_up)} event{'' if given_up == 1 else 's'}"
    if as_json:
        document({"sink": sink, "discarded": given_up, "forgotten": forget})
    elif forget:
        click.echo(f"{sink} is forgotten" + (f", with {events} that it refused." if given_up else "."))
    else:
        click.echo(f"{events} given up.")


def _is_kept_for_its_program(connector: Connector, sink: str) -> bool:
    """Whether a person says no to forgetting a sink of a program, which no configuration names.

    Raises `ConfigurationError` where nobody can be asked.
    """
    if not any(state.of_program for state in connector.sinks() if state.name == sink):
        return False
    what = f"A program in Python hands {sink} over, so it is configured there"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(f"{what}. Where no program does so any more, say it with --yes.")
    return not click.confirm(f"{what}. Does no program do so any more?", err=True)
