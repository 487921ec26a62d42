"""`connector simulate`: a local double of a provider."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import rich_click as click
from pydantic import TypeAdapter, ValidationError

from connector.cli.output import document, json_option
from connector.config.messages import unknown_name
from connector.model.errors import InputError
from connector.simulator import Simulator, configuration, find, serve, simulators
from connector.simulator.faults import CHANCES, SECONDS, parse


@click.command("simulate")
@click.argument("provider", metavar="PROVIDER")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port to listen on; 0: any that is free.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=P",
    help=f"A fault and its probability, as in throttled=0.1, or 1x2 for the first two times; may be repeated. "
    f"Faults: {', '.join([*CHANCES, *SECONDS])}.",
)
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the simulator, as in messages_per_second=50, endings.0199=Failed:150, or "
    "outcomes.Delivered:0=9 for a mix of one's own; may be repeated.",
)
@json_option
def simulate(provider: str, host: str, port: int, faults: Sequence[str], words: Sequence[str], as_json: bool) -> None:
    """Run a double of a provider's API on this machine; no account is needed, and no message goes anywhere.

    Use it to try a campaign, or to rehearse what happens when a provider throttles, fails or loses reports.
    PROVIDER is a name that `connector plugins` lists. It prints what to put into the configuration.
    """
    simulator = find(provider)
    options = read_options(simulator, [*words], parse(faults))

    def ready(taken: int) -> None:
        url = f"http://{f'[{host}]' if ':' in host else host}:{taken}"
        if as_json:
            document(
                {
                    "url": url,
                    "settings": simulator.settings(url, options),
                    "environment": simulator.secrets(options),
                }
            )
            return
        click.echo(f"The simulator of {simulator.title} answers on {url}; stop with Ctrl-C. For the configuration:\n")
        click.echo(configuration(simulator, url, options))
        click.echo(
            "# For reports by callback to `connector serve`; without it they are polled.\n"
            '# [server]\n# public_url = "http://127.0.0.1:8080"'
        )

    serve(simulator, options, host, port, ready)


def read_options(simulator: Simulator, words: Sequence[str], faults: Mapping[str, str]) -> Any:
    """The simulator's options from `key=value` words. Raises `InputError`."""
    known = sorted(field.name for field in fields(simulator.Options) if field.name != "faults")
    given: dict[str, Any] = {"faults": dict(faults)}
    for word in words:
        key, equals, value = word.partition("=")
        name, dot, entry = key.strip().partition(".")
        if not equals:
            raise InputError(f"--set {word}: write KEY=VALUE, as in seed=7.")
        if name not in known:
            raise InputError(f"--set {word}: {unknown_name(name, known, 'setting of the simulator')}")
        if dot:
            table = given.setdefault(name, {})
            if not isinstance(table, dict):
                raise InputError(f"--set {word}: {name} is given as a whole already.")
            table[entry] = value
        else:
            # Nothing after the sign takes a setting away: callback_secret=
            given[name] = value or None
    try:
        return TypeAdapter(simulator.Options).validate_python(given)
    except ValidationError as error:
        wrong = sorted({str(detail["loc"][0]) for detail in error.errors() if detail["loc"]})
        raise InputError(f"--set: the value of {', '.join(wrong)} can't be used.") from error


def first_simulator() -> str:
    """The simulator that is used where none is named. Raises `InputError`."""
    names = simulators()
    if not names:
        raise InputError("No simulator is installed; a provider's plugin brings one.")
    return names[0]
