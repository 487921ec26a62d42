"""`connector send`: a campaign goes out."""

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rich_click as click

from connector.audience.reading import JSON_LINES_ENDINGS, RowSource, read_file
from connector.cli.completion import file_names
from connector.cli.following import conclude, follow, read_secrets, tell_who_waits
from connector.cli.output import count, counted, document, fields_in, json_option, moment, say, sentences, table
from connector.cli.progress import reading
from connector.config.load import load_settings
from connector.config.settings import Storage
from connector.connector import Connector, FirstRequest, Preview, Skip
from connector.extension.plugins import Plugins
from connector.ledger.database import Ledger
from connector.ledger.tables import DispatchState
from connector.model.batch import utc_now
from connector.model.errors import InputError
from connector.model.words import REASONS


def _columns(ctx: click.Context, option: click.Parameter, words: Sequence[str]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for word in words:
        name, equals, column = (part.strip() for part in word.partition("="))
        if not (name and equals and column):
            raise click.BadParameter(f"{word!r} renames nothing; write NAME=COLUMN, as in to=Mobile.")
        if name in mapping:
            raise click.BadParameter(f"{name!r} is given twice.")
        mapping[name] = column
    return mapping


@click.command("send")
@click.argument("campaign", shell_complete=file_names)
@click.option(
    "--recipients",
    "file",
    required=True,
    shell_complete=file_names,
    metavar="FILE",
    help="The list of people: CSV or JSON Lines, also packed by gzip; `-` reads it from standard input.",
)
@click.option(
    "--dry-run", is_flag=True, help="Only show who would get what, and who not and why; nothing is sent or remembered."
)
@click.option(
    "--skipped",
    metavar="FILE",
    help="With --dry-run: write everybody who would be skipped into a new CSV file, with the reason.",
)
@click.option("--wait", is_flag=True, help="Go on until every message is delivered, failed or otherwise final.")
@click.option(
    "--key",
    metavar="NAME",
    help="Your own name for this dispatch: the same key again goes on with it, and never sends twice.",
)
@click.option("--again", is_flag=True, help="Send once more what was sent already: everybody gets it again.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="NAME=COLUMN",
    callback=_columns,
    help="Which column of the list stands for a name, as in to=Mobile; may be repeated.",
)
@click.option(
    "--encoding", metavar="NAME", default="utf-8", show_default=True, help="How the list is written, such as cp1252."
)
@click.option("--yes", is_flag=True, help="Don't ask before sending.")
@json_option
@click.option_panel("The list", options=["--recipients", "--map", "--encoding"])
@click.option_panel("How to go about it", options=["--dry-run", "--skipped", "--yes", "--wait"])
@click.option_panel("The same once more", options=["--key", "--again"])
@click.option_panel("Other options", options=["--json", "--help"])
@click.pass_obj
def send(
    config: Path,
    campaign: str,
    file: str,
    dry_run: bool,
    skipped: str | None,
    wait: bool,
    key: str | None,
    again: bool,
    mapping: dict[str, str],
    encoding: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Send the campaign in the file CAMPAIGN to the people in a list.

    Use it to start a campaign; try --dry-run first. The whole list is read and checked before the first message
    leaves. The same command again goes on where it was stopped, and refuses to send the same twice. At a terminal
    it shows who gets what, and asks before it sends.
    """

    def recipients() -> RowSource:
        return read_file(file, encoding=encoding, mapping=mapping)

    def started() -> bool:
        with recipients() as rows:
            return connector.started(campaign, rows, key=key) is not None

    for given, endings, looks_like in (
        (file, (".toml",), "a campaign"),
        (campaign, (".csv", ".csv.gz", *JSON_LINES_ENDINGS), "a list of people"),
    ):
        if given.lower().endswith(endings):
            raise InputError(f"{given} looks like {looks_like}: are the two files swapped?")
    if skipped is not None and not dry_run:
        raise click.UsageError("--skipped goes with --dry-run, which sends nothing.")
    with _opened(config, remembers=not dry_run) as connector:
        if dry_run:
            with recipients() as rows, reading(rows), _writing_skips(skipped) as on_skip:
                preview = connector.preview(campaign, rows, ask_provider=True, on_skip=on_skip)
            if as_json:
                document(preview.as_dict())
            else:
                show(preview, err=False)
                _tell_what_went_before(connector, preview.campaign, None)
            if preview.first_request is not None and preview.first_request.refused is not None:
                sys.exit(1)
            return
        if again and key is not None:
            raise click.UsageError("--again goes without --key: a new dispatch under a name of yours has a new --key.")
        if not connector.worker_is_running():
            # Before anything is stored: what is stored is sent by whoever works next.
            read_secrets(connector, [connector.integration_of(campaign)])
        if not yes and sys.stdin.isatty() and sys.stderr.isatty() and (again or not started()):
            with recipients() as rows, reading(rows):
                preview = connector.preview(campaign, rows)
            # The result alone goes to standard output.
            show(preview, err=True)
            _tell_what_went_before(connector, preview.campaign, None)
            messages = "message" if preview.to_send == 1 else "messages"
            others = 0 if connector.worker_is_running() else tell_who_waits(connector)
            those = f", and the {others:,} from before" if others else ""
            if not click.confirm(f"Send {preview.to_send:,} {messages}{those}?", err=True):
                say("Nothing was sent.")
                sys.exit(1)
        try:
            with recipients() as rows, reading(rows):
                dispatch = connector.plan(campaign, rows, key=key, again=again)
        except KeyboardInterrupt:
            say("Stopped while the recipients were read: nothing was sent, and nothing is left of it.")
            sys.exit(1)
        interrupted = False
        if yes:
            _tell_what_went_before(connector, dispatch.report().campaign, dispatch.id)
            if not connector.worker_is_running():
                tell_who_waits(connector, but=dispatch.id)
        if dispatch.report().state in (DispatchState.running, DispatchState.finished):
            if dispatch.report().is_settled:
                report = dispatch.report()
                if report.recipients == report.skipped.total:
                    say("Nobody in the list can be messaged: the reasons stand below.")
                else:
                    say(f"This was sent already, by the dispatch {dispatch.id}; nothing new is sent.")
            interrupted = follow(connector, dispatch, final=wait)
        elif dispatch.report().state in (DispatchState.stopped, DispatchState.paused):
            say(
                f"Nothing was tried now: the dispatch {dispatch.id} was {dispatch.report().state} before. Why stands "
                f"below; once that is mended: connector resume {dispatch.id}"
            )
        conclude(connector, dispatch, as_json=as_json, final=wait, interrupted=interrupted)


@contextmanager
def _opened(config: Path, *, remembers: bool) -> Iterator[Connector]:
    """A connector; where it is to remember nothing and there is no ledger yet, none is left."""
    plugins = Plugins()
    settings = load_settings(config, plugins)
    with ExitStack() as stack:
        if not remembers and not Ledger(settings.storage.url).path.exists():
            folder = stack.enter_context(TemporaryDirectory(prefix="connector-"))
            settings = settings.model_copy(update={"storage": Storage(url=f"sqlite:///{folder}/connector.db")})
        yield stack.enter_context(Connector(settings, plugins=plugins))


@contextmanager
def _writing_skips(name: str | None) -> Iterator[Callable[[Skip], object] | None]:
    """Writes who is skipped into a new file, which is gone again where that fails."""
    if name is None:
        yield None
        return
    path = Path(name)
    try:
        file = path.open("x", encoding="utf-8", newline="")
    except FileExistsError:
        raise InputError(f"--skipped: {name} is there already, and isn't written over; name a new file.") from None
    except OSError as error:
        raise InputError(f"--skipped: {name} can't be written ({error.strerror}).") from None
    try:
        with file:
            writer = csv.writer(file)
            writer.writerow(("row", "customer_id", "reason", "missing"))
            yield lambda skip: writer.writerow((skip.row, skip.customer_id or "", skip.reason, ", ".join(skip.missing)))
    except BaseException:
        path.unlink()
        raise


def _tell_what_went_before(connector: Connector, campaign: str, but: str | None) -> None:
    """Who stands in the lists of two dispatches of one campaign gets it twice: that is said before."""
    for line in connector.dispatches():
        if line.campaign == campaign and line.enqueued and line.id != but:
            say(
                f"The campaign {campaign} was sent before, on {moment(line.created_at)}, to "
                f"{counted(line.enqueued, 'person', 'people')}, by the dispatch {line.id}. "
                "Whoever stands in this list, too, gets it again."
            )


def show(preview: Preview, *, err: bool) -> None:
    """Print what would be sent."""
    rows: list[tuple[str, str, str]] = [
        ("recipients", count(preview.recipients), "rows of the list"),
        ("  skipped", count(preview.skipped), ""),
        *((f"    {reason}", count(times), REASONS.get(reason, "")) for reason, times in preview.by_reason.items()),
        ("  to_send", count(preview.to_send), ""),
        *(
            (f"    to {country}" if country else "    by other addresses", count(times), "")
            for country, times in preview.by_country.items()
        ),
        *(
            (f"    from {sender or 'no sender'}", count(times), "" if sender else "the provider's default")
            for sender, times in preview.by_sender.items()
            if len(preview.by_sender) > 1
        ),
        ("number_of_message_parts", count(preview.number_of_message_parts), _billed(preview)),
        *(
            (f"  of {parts} {'part' if parts == 1 else 'parts'}", count(times), "messages")
            for parts, times in preview.by_parts.items()
        ),
        ("requests", count(preview.requests), "to the provider"),
    ]
    table(
        ("what", "number", "what it means"),
        rows,
        right=("number",),
        title=f"Campaign {preview.campaign} through {preview.integration}; nothing is sent yet",
        err=err,
    )
    samples = [each for each in preview.samples if each.encoding]
    if samples:
        table(
            ("from", "parts", "encoding", "text"),
            [
                (each.sender or "the provider's default", str(each.parts or ""), each.encoding, _one_line(each.text))
                for each in samples
            ],
            title="\nThe first messages",
            err=err,
        )
    elif preview.samples:
        first = preview.samples[0]
        sender = first.sender or "the provider's default"
        title = f"\nThe first message as the campaign has it, from {sender}"
        table(("", ""), fields_in(first.text), title=title, err=err)
    if preview.first_request is not None:
        for channel, text in preview.first_request.by_channel.items():
            title = f"\nThe first message on {channel}, as the provider translates it"
            table(("", ""), fields_in(text), title=title, err=err)
    if preview.skips:
        shown = (
            f"the first {len(preview.skips)} of {preview.skipped} (--dry-run --skipped FILE writes all into a file)"
            if preview.skipped > len(preview.skips)
            else "all"
        )
        table(
            ("row", "customer_id", "reason"),
            [
                (str(each.row), each.customer_id or "", ": ".join(filter(None, [each.reason, ", ".join(each.missing)])))
                for each in preview.skips
            ],
            right=("row",),
            title=f"\nWho would be skipped: {shown}; row 1 is the first after the header",
            err=err,
        )
    if preview.leading_zeros:
        sentences(
            f"\n{preview.leading_zeros:,} of the invalid numbers "
            f"{'begins' if preview.leading_zeros == 1 else 'begin'} with a single 0: they may be right where the "
            'country is known. Say it in the configuration: default_region = "SE" under [screening].',
            err=err,
        )
    if preview.short_forms:
        look = "looks" if preview.short_forms == 1 else "look"
        sentences(
            f"\n{preview.short_forms:,} of the invalid numbers {look} like a spreadsheet's short form (4.67E+10): the "
            "digits are lost. Format the column as text, enter the numbers anew, and save the list again.",
            err=err,
        )
    for each in preview.spreadsheet_errors:
        rows_have = counted(each.times, "row has", "rows have")
        place = f"row {each.row}" if each.times == 1 else f"row {each.row} is the first"
        sentences(
            f"\n{rows_have} an error of a spreadsheet ({each.error}) in {each.parameter}, which would be sent as it "
            f"is: {place}",
            err=err,
        )
    for name in preview.columns_missing:
        sentences(f"\nNo column is called {name}: everybody gets the default that the campaign gives.", err=err)
    if preview.send_at is not None:
        passed = ", which has passed: it goes out at once" if preview.send_at <= utc_now() else ""
        sentences(f"\nIt is to be sent at {moment(preview.send_at)}{passed}.", err=err)
    if preview.first_request is not None:
        sentences(f"\n{_tried(preview.first_request)}", err=err)
    if preview.columns_not_used:
        sentences(f"\nThese columns are not used yet: {', '.join(preview.columns_not_used)}", err=err)


def _tried(first: FirstRequest) -> str:
    """What the provider says of the first request, as a sentence."""
    if first.refused is not None:
        return f"The provider would not take this campaign. {first.refused}"
    if first.trouble is not None:
        return f"The provider could not be asked whether it would take this campaign. {first.trouble}"
    if first.counted_by_provider is None:
        asked = "The provider was asked, without sending, how it would show the first message."
        if not first.number_of_message_parts:
            return asked
        return f"{asked} It counts no parts before it sends: the parts above are counted here, as SMS has them."
    if first.counted_by_provider == first.number_of_message_parts:
        agrees = "which is what is counted here, too"
    else:
        here = counted(first.number_of_message_parts, "is", "are")
        agrees = f"where {here} counted here: the bill follows the provider's count"
    return (
        f"The provider was asked, without sending: it would take the first "
        f"{counted(first.messages, 'message', 'messages')}, and counts "
        f"{counted(first.counted_by_provider, 'part', 'parts')}, {agrees}."
    )


def _billed(preview: Preview) -> str:
    if preview.to_send and not preview.number_of_message_parts:
        return "nothing in this campaign is counted in parts"
    return "what is billed"


def _one_line(text: Any) -> str:
    return str(text).replace("\r\n", " ⏎ ").replace("\n", " ⏎ ")
