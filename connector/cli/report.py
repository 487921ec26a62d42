"""`connector report`: what became of everybody."""

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

import rich_click as click

from connector.cli import funnel
from connector.cli.completion import campaign_names, dispatch_ids
from connector.cli.following import follow, remind
from connector.cli.output import document, json_option
from connector.connector import Connector
from connector.model.errors import ConnectorError, InputError
from connector.report import together

STANDARD_OUTPUT = "-"
FULL = (errno.ENOSPC, errno.EDQUOT)
WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@click.command("report")
@click.argument("dispatch_id", metavar="[ID]", required=False, shell_complete=dispatch_ids)
@click.option(
    "--campaign",
    "name",
    metavar="NAME",
    shell_complete=campaign_names,
    help="All dispatches of the campaign of this name, added up.",
)
@click.option("--wait", is_flag=True, help="First wait until every message is delivered, failed or otherwise final.")
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, readable=False, allow_dash=True),
    help="Write the report as a page for the browser, with pictures, to pass on or to print; `-` prints it.",
)
@json_option
@click.option_panel("Of what", options=["--campaign"])
@click.option_panel("How to go about it", options=["--wait"])
@click.option_panel("The result", options=["--html", "--json"])
@click.option_panel("Other options", options=["--help"])
@click.pass_obj
def report(
    config: Path, dispatch_id: str | None, name: str | None, wait: bool, page: str | None, as_json: bool
) -> None:
    """Show what became of everybody: skipped, taken by the provider, delivered, failed, with rates and error codes.

    Use it after `send`, as often as you like: delivery reports keep coming in for a while. ID is the id or the key
    of a dispatch; `dispatches` lists them.
    """
    if (dispatch_id is None) == (name is None):
        raise click.UsageError("Name either a dispatch, or a campaign with --campaign.")
    if page is not None and _is_standard_output(page):
        page = STANDARD_OUTPUT
    if as_json and page == STANDARD_OUTPUT:
        raise click.UsageError("--json and --html - would both go to standard output; give --html a file.")
    with Connector.from_config(config) as connector:
        chosen = [connector.dispatch(dispatch_id)] if dispatch_id is not None else connector.of_campaign(str(name))
        interrupted = False
        for dispatch in chosen if wait else ():
            interrupted = interrupted or follow(connector, dispatch, final=True)
        if page is not None:
            _write(page, connector.page(chosen))
        reports = [dispatch.report() for dispatch in chosen]
        whole = together(reports)
        if as_json and name is not None:
            document({**whole.as_dict(), "dispatch": None, "dispatches": [each.as_dict() for each in reports]})
        elif as_json:
            document(whole.as_dict())
        elif page is None:
            funnel.show(whole, working=connector.worker_is_running())
        elif page != STANDARD_OUTPUT:
            click.echo(f"The report is in {page}.")
        if wait:
            remind(connector, chosen, final=True, interrupted=interrupted)


def _is_standard_output(page: str) -> bool:
    """Whether it is where standard output goes already, as /dev/stdout is: what it holds so far must stay."""
    try:
        return page == STANDARD_OUTPUT or os.path.samestat(Path(page).stat(), os.fstat(1))
    except OSError:
        return False


def _write(page: str, text: str) -> None:
    """Write a page whole or not at all; to what is no file, such as a pipe, as it comes.

    Raises `InputError` when that place can't be written to, `ConnectorError` when it is full.
    """
    try:
        if page == STANDARD_OUTPUT:
            _print(text)
        else:
            _save(Path(page), text)
    except OSError as error:
        place = "standard output" if page == STANDARD_OUTPUT else page
        if error.errno in FULL:
            raise ConnectorError(
                f"{place}: No space is left there, so the report was not written. Make room, or name another place."
            ) from error
        if page == STANDARD_OUTPUT:
            raise
        raise InputError(f"{page}: The report can't be written there ({error.strerror}).") from error


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if error.errno in FULL:
            # What could not be written is still held, and would be tried, and fail, once more at the very end.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.close(nowhere)
        raise


def _save(file: Path, text: str) -> None:
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        with file.open("w", encoding="utf-8") as stream:
            stream.write(text)
        return
    # A link stays one: what it leads to is replaced.
    file = file.resolve()
    # To replace a file takes no right to write it, yet whoever took that right away wants to keep it.
    if mode is not None and not (mode & WRITABLE and os.access(file, os.W_OK)):
        raise PermissionError(errno.EACCES, "the file is write-protected")
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        if mode is not None:
            part.chmod(stat.S_IMODE(mode))
        part.replace(file)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
