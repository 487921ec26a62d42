"""What a host meets: names, types, errors, logging; and a connector that costs nothing until it is used."""

import inspect
import json
import logging
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from api_kit import Platform, Store, build
from receiving_kit import (
    ADA,
    SECRETS,
    Api,
    Clock,
    address,
    receipt,
    send_to,
    settings_of,
    signed,
    statuses,
    take,
)
from sending_kit import CAMPAIGN, Host, people, wait_until

import connector as package
from connector import ConfigurationError, Connector, ConnectorError, Dispatch, OpenDispatch, Request
from connector.config.load import check_settings
from connector.extension import secret as secret_module
from connector.extension.plugins import Plugins
from connector.ledger.receiving import receiver_is_there
from connector.model import errors
from connector.model.batch import utc_now
from connector.simulator.numbers import fictional_numbers

ROOT = Path(__file__).parent.parent.parent

NAMES = {
    "sending": ["Added", "Campaign", "Connector", "Dispatch", "OpenDispatch", "Preview", "Recipient", "Report"],
    "events": ["DeadLetter", "Event", "EventKind", "RefusedEvent", "Sink", "SinkState", "Status", "StatusCodeSource"],
    "callbacks": ["Request", "Response"],
    "looking": [
        "AccountState",
        "DispatchLine",
        "DoubtfulBatch",
        "Finding",
        "KeptReport",
        "Person",
        "Polled",
        "Rechecked",
        "Silence",
        "Trial",
    ],
    "reasons": ["WhyKept"],
    "errors": [
        "CampaignError",
        "ConfigurationError",
        "ConnectorError",
        "DispatchClosed",
        "Fault",
        "InputError",
        "KeyConflict",
        "LedgerError",
        "NotFound",
        "NotReached",
        "NotSent",
        "NotTaken",
        "PluginError",
        "ReadFailed",
        "ReadRefused",
        "RecipientsError",
        "SchemaMismatch",
        "SinkStopped",
        "Stopped",
        "Throttled",
        "WorkerBusy",
    ],
}


def test_the_public_names() -> None:
    """A name that is here is there for good: hosts import it."""
    assert sorted(package.__all__) == sorted(name for names in NAMES.values() for name in names)


def public(kind: type) -> set[str]:
    """Methods and properties without an underscore."""
    return {name for name, member in vars(kind).items() if not name.startswith("_") and not _is_plain(member)}


def _is_plain(member: Any) -> bool:
    return not (callable(member) or isinstance(member, classmethod | property) or hasattr(member, "__get__"))


INNER = {"Desk", "Edge", "Line", "Plugins", "Recorder", "RowSource", "Settings", "Worker"}
"""What only a server or worker of one's own, or nobody, needs to name."""


def own_types(hint: Any) -> set[type]:
    """The classes of ours in a type."""
    inner = set[type]().union(*map(own_types, get_args(hint)))
    return inner | ({hint} if isinstance(hint, type) and hint.__module__.split(".")[0] == "connector" else set())


def test_what_methods_take_and_give_is_public() -> None:
    found = set()
    for kind in (Connector, Dispatch, OpenDispatch):
        for name in public(kind):
            member = vars(kind)[name]
            function = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(kind, name)
            found |= set[type]().union(*map(own_types, get_type_hints(function).values()))
    assert {kind.__name__ for kind in found} - INNER <= set(package.__all__)
    assert all(getattr(package, kind.__name__) is kind for kind in found if kind.__name__ not in INNER)


def test_every_error_is_public_and_of_one_tree() -> None:
    tree = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert all(issubclass(kind, ConnectorError) for kind in tree.values())
    assert {name: getattr(package, name) for name in tree} == tree


def test_a_file_is_read_with_the_arguments_of_the_constructor() -> None:
    made = inspect.signature(Connector).parameters
    read = inspect.signature(Connector.from_config).parameters
    assert list(made)[1:] == list(read)[1:] == ["secrets", "plugins", "sinks", "on_event", "clock"]
    assert all(made[name] == read[name] for name in list(made)[1:])


# Building


def open_files() -> set[str]:
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(f"{descriptor.name} {descriptor.readlink()}")
    return found


@contextmanager
def nothing_opened() -> Iterator[None]:
    threads, files = set(threading.enumerate()), open_files()
    yield
    assert set(threading.enumerate()) == threads
    assert {name for name in open_files() - files if "/proc/" not in name} == set()


def test_building_one_opens_nothing_and_reads_no_secret(tmp_path: Path, api: Api) -> None:
    def secret(reference: str) -> str:
        raise AssertionError("a secret was read")

    given: dict[str, Any] = {
        "secrets": secret,
        "plugins": Plugins([api], installed=False),
        "sinks": {"crm": Store()},
        "on_event": Platform(),
        "clock": utc_now,
    }
    settings = settings_of(tmp_path, callback_secret="a name of the host's own")
    with nothing_opened():
        made = Connector(settings, **given)
        assert callable(made.asgi)
        assert list(tmp_path.iterdir()) == []
        made.close()
    file = tmp_path / "connector.json"
    file.write_text(json.dumps(settings))
    with nothing_opened():
        read = Connector.from_config(file, **given)
        assert read.settings == made.settings
        assert list(tmp_path.iterdir()) == [file]


def test_secrets_of_a_file_come_from_the_host(tmp_path: Path, api: Api, clock: Clock) -> None:
    file = tmp_path / "connector.json"
    file.write_text(json.dumps(settings_of(tmp_path, callback_secret="the vault's name")))
    plugins = Plugins([api], installed=False)
    vault = {"the vault's name": "a-secret-of-tests"}
    with Connector.from_config(file, secrets=vault.__getitem__, plugins=plugins, clock=clock) as made:
        for secret, status in ((vault["the vault's name"], 200), ("another", 401)):
            headers = signed(b"{}", secret, clock())
            assert made.receive(Request("POST", address(made), headers, b"{}")).status == status


def test_secrets_for_settings_that_have_theirs_are_refused(tmp_path: Path, api: Api) -> None:
    plugins = Plugins([api], installed=False)
    settings = check_settings(settings_of(tmp_path), plugins, read_secret=SECRETS.__getitem__)
    Connector(settings, plugins=plugins).close()
    with pytest.raises(ConfigurationError, match="give secrets when they are checked"):
        Connector(settings, plugins=plugins, secrets=SECRETS.__getitem__)


def test_secrets_are_read_anew(
    tmp_path: Path, api: Api, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One that was read a moment ago serves callbacks for some seconds more: here, none was.
    monkeypatch.setattr(secret_module, "RECENT_SECONDS", 0.0)
    vault = {"hooks": "the-first-of-tests"}
    settings = settings_of(tmp_path, callback_secret="hooks")
    made = Connector(settings, secrets=vault.__getitem__, plugins=Plugins([api], installed=False), clock=clock)
    with made, caplog.at_level(logging.DEBUG):

        def answered(secret: str) -> int:
            return made.receive(Request("POST", address(made), signed(b"{}", secret, clock()), b"{}")).status

        assert (answered("the-first-of-tests"), answered("the-second-of-tests")) == (200, 401)
        vault["hooks"] = "the-second-of-tests"
        assert (answered("the-first-of-tests"), answered("the-second-of-tests")) == (401, 200)
        del vault["hooks"]
        assert answered("the-second-of-tests") == 503
        assert "of-tests" not in caplog.text + repr(made.settings) + repr(vars(made))


# Using


def test_names_of_headers_in_any_case(tmp_path: Path, api: Api, clock: Clock) -> None:
    """A host that hands them over as they came loses no report."""
    settings = settings_of(tmp_path, callback_secret="env:NEW")
    made = Connector(settings, secrets=SECRETS.__getitem__, plugins=Plugins([api], installed=False), clock=clock)
    with made:
        for spelt in (str.lower, str.upper, str.title):
            headers = {spelt(name): value for name, value in signed(b"{}", SECRETS["env:NEW"], clock()).items()}
            assert made.receive(Request("POST", address(made), headers, b"{}")).status == 200


def test_a_host_that_takes_callbacks_is_seen_by_all(tmp_path: Path, api: Api, clock: Clock) -> None:
    """So what is called back is not asked for every second as well."""

    def seen(by: Connector) -> bool:
        with by.ledger.read() as connection:
            return receiver_is_there(connection, clock())

    with build(tmp_path, api, clock) as connector, build(tmp_path, api, clock) as other:
        send_to(connector, ADA)
        assert not seen(other)
        take(connector, receipt(ADA, client_reference=api.sent[-1].key))
        wait_until(lambda: seen(other))
        connector.close()
        assert not seen(other)


def test_many_threads_share_one(tmp_path: Path, api: Api, clock: Clock) -> None:
    platform = Platform()
    wrong: list[BaseException] = []
    numbers = fictional_numbers()
    shares = [[next(numbers) for _ in range(5)] for _ in range(6)]

    with build(tmp_path, api, clock, on_event=platform) as connector:

        def use(place: int, share: list[str]) -> None:
            try:
                campaign = {"name": f"of {place}", "message": {"text": "Hello"}, "sender": "Shop"}
                dispatch = connector.send(campaign, [{"to": f"+{person}"} for person in share], key=f"key {place}")
                key = next(batch.key for batch in list(api.sent) if batch.recipients[0] == share[0])
                for person in share:
                    take(connector, receipt(person, client_reference=key))
                assert dispatch.wait().delivered == 5
                assert connector.dispatch(f"key {place}").id == dispatch.id
                assert len(dispatch.events()) == 10
                assert len(connector.dispatches()) >= 1
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=use, args=each) for each in enumerate(shares)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        connector.deliver()
        assert platform.told == connector.events(limit=1000)
        assert len(platform.told) == 60


def test_after_closing_all_of_it_works_again(tmp_path: Path, api: Api, clock: Clock) -> None:
    platform = Platform()
    with nothing_opened():
        connector = build(tmp_path, api, clock, on_event=platform)
        dispatch = send_to(connector, ADA)
        for _ in range(2):
            connector.close()
            take(connector, receipt(ADA, client_reference=api.sent[0].key))
            connector.close()
            assert dispatch.wait().delivered == 1
            connector.close()
        assert platform.seen == [(ADA, "enqueued"), (ADA, "delivered")]
        assert statuses(connector, ADA) == ["enqueued", "delivered"]
        connector.close()


def test_work_ends_when_the_time_is_up_though_the_provider_hangs(host: Host) -> None:
    """A request takes as long as its timeout: then the batch is in doubt, and work is over."""
    plan = host.plan()
    connector = host.connector(plan, integration={"request_timeout_seconds": 0.5})
    dispatch = connector.send(CAMPAIGN, people(3), drain=False)
    plan.hold("after")
    while not plan.posted:
        # Its time may be up before it has begun.
        connector.work(max_seconds=0.05)
    report = dispatch.report()
    plan.release()
    assert (report.in_doubt, report.waiting, report.sending) == (3, 0, 0)


def test_no_time_is_no_work(tmp_path: Path, api: Api, clock: Clock) -> None:
    with build(tmp_path, api, clock) as connector:
        campaign = {"name": "spring", "message": {"text": "Hello"}, "sender": "Shop"}
        dispatch = connector.send(campaign, [{"to": f"+{ADA}"}], drain=False)
        connector.work(max_seconds=0)
        assert dispatch.report().waiting == 1


# Logging


def test_logging_is_the_hosts(tmp_path: Path) -> None:
    """Everything under `connector`, with no handler and no level set by us, whatever is used."""
    code = """
import logging, sys
from connector import Connector
from connector.simulator.simulated import simulated

with simulated("sinch-sms") as demo, Connector(demo.settings, secrets=demo.secret, on_event=len) as connector:
    connector.send({"name": "n", "sender": "Shop", "message": {"text": "Hi"}}, [{"to": "+12015550123"}])
    connector.asgi, connector.verify()
ours = [name for name in logging.root.manager.loggerDict if name.split(".")[0].startswith("connector")]
assert "connector" in ours and all(name == "connector" or name.startswith("connector.") for name in ours), ours
for name in [None, *ours]:
    logger = logging.getLogger(name)
    assert logger.handlers == [] and logger.propagate and not logger.disabled and not logger.filters, name
    assert name is None or logger.level == logging.NOTSET, name
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)


# Types


HOST = """
from collections.abc import Sequence
from datetime import UTC, datetime

from connector import (
    Campaign, Connector, Dispatch, Event, Recipient, Report, Request, Response, Sink, SinkState, WorkerBusy
)


class Store(Sink):
    batch_events = 50

    def deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            print(event.status.value, event.customer_id)


def use(settings: dict[str, object]) -> Report:
    connector = Connector(
        settings,
        secrets={"env:TOKEN": "token"}.__getitem__,
        plugins=[object()],
        sinks={"store": Store()},
        on_event=lambda event: print(event.id),
        clock=lambda: datetime.now(UTC),
    )
    dispatch: Dispatch = connector.send("campaign.toml", [Recipient(to="1")], key="k", drain=False)
    try:
        connector.work(max_seconds=1.0)
    except WorkerBusy:
        connector.deliver()
    answer: Response = connector.receive(Request("POST", "/webhooks/x", {}, b""))
    states: list[SinkState] = connector.sinks()
    told: int = dispatch.feedback(["1"])
    events: list[Event] = connector.events(after=-1)
    print(answer.status, states[0].lag, told, [event.occurred_at.isoformat() for event in events])
    return dispatch.wait()


use({}).sent
Connector({}, on_event=lambda: None)
"""


def test_hosts_are_checked_against_our_types(tmp_path: Path) -> None:
    """As strictly as ours: what is right passes, what is wrong is found."""
    file = tmp_path / "host.py"
    file.write_text(HOST)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = [line.split(": ", 2)[2] for line in done.stdout.splitlines() if ": error: " in line]
    assert [message.split("  [")[1] for message in found] == ["attr-defined]", "misc]", "arg-type]"], done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of what is in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.iterdir()
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_the_wheel_ships_the_types_and_nothing_else_of_the_repository(wheel: list[str]) -> None:
    packages = {"connector", *(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir())}
    assert {f"{package}/py.typed" for package in packages} <= set(wheel)
    top = {name.split("/")[0] for name in wheel}
    assert {name for name in top if not name.endswith(".dist-info")} == packages


def test_the_wheel_has_every_file_of_the_packages(wheel: list[str]) -> None:
    sources = [
        path.relative_to(folder)
        for folder in (ROOT, ROOT / "plugins")
        for path in folder.glob("connector*/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {str(path) for path in sources} <= set(wheel)


# Documentation


def listed(heading: str) -> list[str]:
    """The names in the first column of the table under a heading of the page for embedding."""
    page = (ROOT / "docs" / "embedding.md").read_text()
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    columns = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for column in columns for name in re.findall(r"`(\w+)(?=[(`])", column)]


@pytest.mark.parametrize("kind", [Connector, Dispatch, OpenDispatch])
def test_every_method_is_documented_in_one_line(kind: type) -> None:
    names = listed(f"Every method of `{kind.__name__}`")
    assert len(names) == len(set(names))
    assert set(names) == public(kind)


def test_every_name_is_documented() -> None:
    page = (ROOT / "docs" / "embedding.md").read_text()
    assert [name for name in package.__all__ if f"`{name}" not in page] == []
