"""`connector simulate`: a local double of a provider."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from connector.cli.completion import provider_names
from connector.cli.output import document, json_option
from connector.cli.scenario import read_options, scenario_schema
from connector.model.errors import InputError
from connector.simulator import Options, Simulator, configuration, find, serve, simulators
from connector.simulator.asking import have_somebody_write
from connector.simulator.faults import CHANCES, SECONDS, TO_PLATFORMS

FAULTS = "\n".join(f"- `{name}`: {what}" for name, what in CHANCES.items())
OF_PLATFORMS = ", ".join(f"`{name}`" for name in TO_PLATFORMS)
LENGTHS = "\n".join(f"- `{name}`: {what} ({default:g} unless set)" for name, (what, default) in SECONDS.items())


@click.command(
    "simulate",
    help=f"""Run a double of a provider's API on this machine; no account is needed, and no message goes anywhere.

Use it to try a campaign, or to rehearse what happens when a provider throttles, fails or loses reports.
PROVIDER is a name that `connector plugins` lists. It prints what to put into the configuration, and runs until Ctrl-C.

What can go wrong: faults, each with its probability (0.1 is one time in ten; 1x2 the first two times and never again):

{FAULTS}

and in seconds:

{LENGTHS}

The double of a platform that gets events has only {OF_PLATFORMS} and `slow_seconds`: a send
is then a request with events. Nor does it have messages that come to an end, or people who write.

All that the options say can stand in a scenario file, too, and be limited to a time, as in "throttled from the
10th to the 20th second".
""",
)
@click.rich_config({"text_markup": "markdown"})
@click.argument("provider", metavar="PROVIDER", shell_complete=provider_names)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port to listen on; 0: any that is free.")
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file that says what goes wrong and when, and anything that --set and --fault can say; they win.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=P",
    help="A fault and its probability, as in throttled=0.1, or 1x2 for the first two times; may be repeated.",
)
@click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the simulator, as in messages_per_second=50, countries.SE=Failed:150, endings.0199=Failed:150, "
    "or outcomes.Delivered:0=9 for a mix of one's own; may be repeated.",
)
@click.option(
    "--inbound",
    nargs=2,
    metavar="NUMBER TEXT",
    help="Start nothing, but have this person write this text to the simulator that runs on --port, as in "
    "--inbound +12015550123 STOP.",
)
@click.option("--schema", is_flag=True, help="Start nothing, but print the JSON Schema of scenario files.")
@json_option
def simulate(
    provider: str,
    host: str,
    port: int,
    scenario: Path | None,
    faults: Sequence[str],
    words: Sequence[str],
    inbound: tuple[str, str] | None,
    schema: bool,
    as_json: bool,
) -> None:
    """Serve a simulator, or tell one something."""
    simulator = find(provider)
    if schema:
        click.echo(json.dumps(scenario_schema(simulator), indent=2, ensure_ascii=False))
        return
    if inbound is not None:
        _write(_url(host, port), *inbound, as_json=as_json)
        return
    options = read_options(simulator, scenario, words, faults)

    def ready(taken: int) -> None:
        url = _url(host, taken)
        if as_json:
            document(
                {
                    "url": url,
                    "settings": simulator.settings(url, options),
                    "environment": simulator.secrets(options),
                }
            )
        else:
            _tell(simulator, options, url, taken)

    serve(simulator, options, host, port, ready)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _tell(simulator: Simulator, options: Options, url: str, port: int) -> None:
    click.echo(f"The simulator of {simulator.title} answers on {url}; stop with Ctrl-C. For the configuration:\n")
    click.echo(configuration(simulator, url, options))
    if simulator.table != "integrations":
        return
    click.echo(
        "# Or by one command, once these variables are exported. Without --yes it asks for what you leave out;\n"
        "# leave in the settings that have this simulator's address, as it asks for these last:\n"
        f"# {_setup(simulator, options, url)}\n\n"
        "# For reports by callback to `connector serve`; without it they are polled, where the provider can be asked.\n"
        '# [server]\n# public_url = "http://127.0.0.1:8080"\n\n'
        "# To have a person write, in another terminal:\n"
        f"# connector simulate {simulator.name} --port {port} --inbound +12015550123 STOP"
    )


def _setup(simulator: Simulator, options: Options, url: str) -> str:
    """The command that writes the configuration for a running simulator."""
    settings = simulator.settings(url, options)
    words = [f"{key}={value}" for key, value in {"name": "simulated", **settings}.items() if key != "provider"]
    return shlex.join(
        ["connector", "setup", simulator.name, "--yes", *(part for word in words for part in ("--set", word))]
    )


def _write(url: str, number: str, text: str, as_json: bool) -> None:
    if url.endswith(":0"):
        raise InputError("--inbound: give the --port that the simulator runs on.")
    message = have_somebody_write(url, number, text)
    if as_json:
        document(message)
    else:
        click.echo(f"{message['from']} has written {message['body']!r} to {message['to']}.")


def first_simulator() -> str:
    """The provider's simulator that is used where none is named. Raises `InputError`."""
    found = [each for each in map(find, simulators()) if each.table == "integrations"]
    if not found:
        raise InputError("No simulator is installed; a provider's plugin brings one.")
    return min(found, key=lambda each: (not each.shown_first, each.name)).name
