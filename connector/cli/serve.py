"""`connector serve` and `connector worker`: what runs all the time."""

import gc
from pathlib import Path

import rich_click as click

from connector.cli.following import read_secrets, tell_who_waits
from connector.cli.interrupts import stopping
from connector.cli.output import document, json_option, say
from connector.config.load import load_settings
from connector.connector import Connector
from connector.extension.plugins import Plugins
from connector.server.serve import listen
from connector.server.serve import serve as run

TAKEN = "Another process sends just now; this one takes over when that ends."


@click.command("serve")
@click.option("--host", metavar="ADDRESS", help="Where to listen; else as the configuration says.")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="NUMBER", help="The port to listen on; 0: any that is free."
)
@click.option(
    "--no-worker", is_flag=True, help="Only take callbacks; `connector worker` or `connector send` do the rest."
)
@json_option
@click.pass_obj
def serve(config: Path, host: str | None, port: int | None, no_worker: bool, as_json: bool) -> None:
    """Take the delivery reports that the provider brings (callbacks), and send what is due, until it is stopped.

    Use it as the service that runs all the time: it also looks up what is in doubt, asks for reports that didn't
    come, and starts what was scheduled. Ctrl-C or SIGTERM stop it in good order: what is under way is finished first.
    """
    plugins = Plugins()
    settings = load_settings(config, plugins)
    host = host or settings.server.host
    with listen(host, settings.server.port if port is None else port) as listening:
        port = listening.getsockname()[1]
        server = settings.server.model_copy(update={"host": host, "port": port})
        with Connector(settings.model_copy(update={"server": server}), plugins=plugins) as connector:
            if not no_worker:
                read_secrets(connector, settings.integrations)
            taken = not no_worker and connector.worker_is_running()

            def ready() -> None:
                url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
                _announce(connector, url, works=not no_worker, as_json=as_json)
                if taken:
                    say(TAKEN)
                elif not no_worker:
                    tell_who_waits(connector)
                _keep_what_is_loaded()

            try:
                run(connector, listening, with_worker=not no_worker, ready=ready)
            except KeyboardInterrupt:
                # How the signal that stopped it in good order arrives here.
                say("Stopped.")


def _announce(connector: Connector, url: str, *, works: bool, as_json: bool) -> None:
    public_url = connector.settings.server.public_url
    addresses = connector.callback_addresses()
    if as_json:
        document({"url": url, "public_url": public_url, "worker": works, "callbacks": addresses})
        return
    click.echo(f"Listening on {url}; stop with Ctrl-C.")
    if public_url is None:
        click.echo(
            "The configuration has no [server] public_url, so the provider is given no address to call back: "
            "reports are polled. The addresses below are for this machine."
        )
    for name, address in addresses.items():
        click.echo(f"Callbacks of {name}: {address}")


@click.command("worker")
@click.pass_obj
def worker(config: Path) -> None:
    """Send what is due, look up what is in doubt and ask for reports, until it is stopped; takes no callbacks.

    Use it beside `connector serve --no-worker`, or where the provider can't reach you and reports are only asked
    for. Ctrl-C or SIGTERM stop it in good order.
    """
    with Connector.from_config(config) as connector, stopping() as stop:
        connector.prepare()
        read_secrets(connector, connector.settings.integrations)
        if connector.worker_is_running():
            say(TAKEN)
        else:
            tell_who_waits(connector)
        _keep_what_is_loaded()
        connector.run(stop)


def _keep_what_is_loaded() -> None:
    """Leave out of the search for garbage what is there to stay: else all of it is gone through for every few pages."""
    gc.collect()
    gc.freeze()
