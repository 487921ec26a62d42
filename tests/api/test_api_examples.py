"""The examples of the page for embedding, each in its framework, over real HTTP, with a simulator that calls back."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import httpx
import pytest
import uvicorn
from celery import Celery
from connector_sinch.sms.simulator import SmsSimulator
from django.conf import settings as django_settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from sending_kit import CAMPAIGN, Host, closes, people, wait_until

from connector import Connector, Event, Report
from connector.server.serve import listen, serving

PAGE = (Path(__file__).parent.parent.parent / "docs" / "embedding.md").read_text()
PEOPLE = 30


def example(file: str) -> str:
    """The block of the page whose first line names this file of a host's project."""
    (found,) = re.findall(rf"^```python\n(# {re.escape(file)}, .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_every_file_that_the_page_shows_is_run_here() -> None:
    files = re.findall(r"^```python\n# (\w+\.py)", PAGE, re.MULTILINE)
    assert sorted(files) == ["main.py", "messaging.py", "tasks.py"]


class Account:
    """A simulated service plan, and what a host has in its settings to use it."""

    def __init__(self, host: Host) -> None:
        self.plan = host.plan(outcomes={"Delivered:0": 3, "Failed:408": 1})
        self.secrets = SmsSimulator().secrets(self.plan.options)
        self._host = host

    def settings(self, public_url: str) -> dict[str, Any]:
        return self._host.settings({"sms": self.plan}, server={"public_url": public_url})

    def secret(self, reference: str) -> str:
        return self.secrets[reference.removeprefix("env:")]

    def adds_up(self, report: Report) -> bool:
        """Whether everybody's end was called back once and is known, and the sums close."""
        self.plan.idle()
        callbacks = self.plan.account()["callbacks"]
        assert (callbacks["answered"], callbacks["retried"], callbacks["dropped"]) == (PEOPLE, 0, 0)
        assert (report.recipients, report.enqueued, report.open) == (PEOPLE, PEOPLE, 0)
        assert report.delivered and report.failed and report.delivered + report.failed == PEOPLE
        return closes(report)


@pytest.fixture
def account(host: Host) -> Account:
    return Account(host)


@contextmanager
def module(name: str, code: str) -> Iterator[ModuleType]:
    """A module of a host's, as long as the block runs."""
    made = ModuleType(name)
    sys.modules[name] = made
    try:
        exec(compile(code, name, "exec"), vars(made))
        yield made
    finally:
        del sys.modules[name]


def test_a_django_view(account: Account) -> None:
    with ExitStack() as ending:
        server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler, ipv6=False)
        ending.callback(server.server_close)
        django_settings.configure(
            ALLOWED_HOSTS=["127.0.0.1"],
            CONNECTOR=account.settings(f"http://127.0.0.1:{server.server_port}/sms"),
            CONNECTOR_SECRETS={f"env:{name}": value for name, value in account.secrets.items()},
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
            ROOT_URLCONF="messaging",
            SECRET_KEY="of-tests",
        )
        django.setup()
        host = ending.enter_context(module("messaging", example("messaging.py")))
        ending.callback(host.connector.close)
        server.set_app(get_wsgi_application())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        ending.callback(thread.join)
        ending.callback(server.shutdown)
        dispatch = host.connector.send(CAMPAIGN, people(PEOPLE))
        assert account.adds_up(dispatch.wait())
        address = host.connector.callback_addresses()["sms"]
        assert httpx.post(address, content=b"{}").status_code == 401
        assert httpx.get(address).status_code == 405


def test_a_fastapi_application(account: Account) -> None:
    told: list[Event] = []
    with ExitStack() as ending:
        listening = ending.enter_context(listen("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        shop = ending.enter_context(module("shop", ""))
        shop.CONNECTOR = account.settings(f"{url}/sms")
        shop.secret = account.secret
        shop.on_event = told.append
        host = ending.enter_context(module("main", example("main.py")))
        server = uvicorn.Server(uvicorn.Config(host.app, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        ending.callback(thread.join)
        ending.callback(setattr, server, "should_exit", True)
        web = ending.enter_context(httpx.Client(base_url=url, timeout=30))
        answer = web.post("/campaigns/opening-1", json={"campaign": CAMPAIGN, "recipients": people(PEOPLE)})
        assert (answer.status_code, answer.json()["recipients"]) == (200, PEOPLE)
        report: dict[str, Any] = {}

        def is_final() -> bool:
            report.update(web.get("/campaigns/opening-1").json())
            return bool(report["enqueued"] == PEOPLE and not report["open"])

        wait_until(is_final)
        wait_until(lambda: len(told) == 2 * PEOPLE)
        assert account.adds_up(host.connector.dispatch("opening-1").report())
        ended = Counter(event.status.value for event in told)
        assert ended.pop("enqueued") == PEOPLE
        assert dict(ended) == {name: report[name] for name in ("delivered", "rejected", "failed") if report[name]}
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("connector")]


SHOP = """
import json
from pathlib import Path

HERE = Path(__file__).parent
CELERY = json.loads((HERE / "celery.json").read_text())
CONNECTOR = json.loads((HERE / "connector.json").read_text())
SECRETS = json.loads((HERE / "secrets.json").read_text())


def secret(reference):
    return SECRETS[reference.removeprefix("env:")]


def on_event(event):
    with (HERE / "events.txt").open("a") as file:
        print(event.id, event.status.value, file=file)
"""


@contextmanager
def celery_worker(folder: Path) -> Iterator[None]:
    """Celery's own worker, pre-forked: the connector is built in the parent and used in its children."""
    options = ["--pool=prefork", "--concurrency=2", "--loglevel=ERROR", "--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "--app=tasks", "--quiet", "worker", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_a_celery_task(account: Account, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("queue", "control")}
    for folder in folders.values():
        folder.mkdir()
    broker = {
        "broker_url": "filesystem://",
        "broker_transport_options": {
            "data_folder_in": str(folders["queue"]),
            "data_folder_out": str(folders["queue"]),
            "control_folder": str(folders["control"]),
            "polling_interval": 0.05,
        },
    }
    rows = "\n".join(json.dumps(row) for row in people(PEOPLE))
    (tmp_path / "people.jsonl").write_text(rows)
    with listen("127.0.0.1", 0) as listening:
        settings = account.settings(f"http://127.0.0.1:{listening.getsockname()[1]}")
        files = {"celery": broker, "connector": settings, "secrets": account.secrets}
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        (tmp_path / "shop.py").write_text(SHOP)
        (tmp_path / "tasks.py").write_text(example("tasks.py"))
        platform = Celery("platform", set_as_current=False)
        platform.conf.update(broker)
        with (
            Connector(settings, secrets=account.secret) as web,
            serving(web, with_worker=False, listening=listening),
            celery_worker(tmp_path),
        ):
            for _ in range(2):
                platform.send_task("tasks.send", ["opening-1", CAMPAIGN, str(tmp_path / "people.jsonl")])
            wait_until(lambda: bool(web.dispatches()))
            dispatch = web.dispatch("opening-1")
            recorded = tmp_path / "events.txt"
            works = iter(range(1000))

            def told() -> bool:
                # What beat does every minute.
                if next(works) % 20 == 0:
                    platform.send_task("tasks.work")
                lines = recorded.read_text().splitlines() if recorded.exists() else []
                return len(lines) == 2 * PEOPLE

            wait_until(told)
            assert account.adds_up(dispatch.report())
            assert len(web.dispatches()) == 1
            lines = recorded.read_text().splitlines()
            assert lines == [f"{event.id} {event.status.value}" for event in web.events()]
    platform.close()
