"""`Connector`: everything behind one door."""

import logging
import os
import secrets as randomness
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Self

from sqlalchemy import Row, func, select

from connector import overview, person
from connector import report as reporting
from connector.audience.lacking import Lacking
from connector.audience.sessions import Sessions
from connector.checking import callback_path, house, replies, trial
from connector.checking import sinks as sinks_checking
from connector.checking.finding import Finding, Result
from connector.checking.integration import SECRETS, called_back, senders, try_settings
from connector.checking.trial import ToldBy, Trial
from connector.config.load import ReadSecret, check_settings, load_settings
from connector.config.names import campaign_faults, integration_of, transactional
from connector.config.settings import Settings
from connector.delivery import cursors, dead_letters, replays
from connector.delivery.choosing import EVERYTHING, Choice
from connector.delivery.cursors import SinkState as SinkState
from connector.delivery.dead_letters import RefusedEvent
from connector.delivery.in_process import sinks_of
from connector.dispatch import adding, doubt, due, opening, pace, planning, rechecking
from connector.dispatch.auditing import audit
from connector.dispatch.gathering import Added as Added
from connector.dispatch.preview import FirstRequest as FirstRequest
from connector.dispatch.preview import Preview as Preview
from connector.dispatch.preview import Skip as Skip
from connector.dispatch.preview import preview
from connector.dispatch.rechecking import Rechecked as Rechecked
from connector.dispatch.sending import Desk, Line, callbacks_expected
from connector.dispatched import Dispatch as Dispatch
from connector.dispatched import OpenDispatch as OpenDispatch
from connector.engine import polls
from connector.engine.polls import Polled as Polled
from connector.engine.readers import Readers
from connector.engine.upkeep import UPKEEP_SECONDS, upkeep
from connector.engine.worker import ROLE, Worker
from connector.extension.plugins import Plugins
from connector.extension.provider import Integration, Provider
from connector.extension.sink import Sink
from connector.http import Http
from connector.ledger import counters, forking, log, recount, registry
from connector.ledger.database import Ledger
from connector.ledger.receiving import receiver_is_there
from connector.ledger.tables import (
    DispatchState,
    WhyKept,
    dispatches,
    kept_reports,
)
from connector.model.batch import utc_now
from connector.model.callback import Request, Response
from connector.model.campaign import Campaign, Message
from connector.model.errors import (
    CampaignError,
    ConfigurationError,
    ConnectorError,
    Fault,
    InputError,
    KeyConflict,
    NotFound,
    WorkerBusy,
    without_words,
)
from connector.model.event import Event
from connector.model.phone import Numbers
from connector.model.recipient import Recipient
from connector.order import Order, Recipients, read_campaign, screen_of
from connector.overview import AccountState, DispatchLine, KeptReport
from connector.pages import report as report_page
from connector.person import Person
from connector.report import Report
from connector.tracking import callbacks
from connector.tracking.edge import Edge
from connector.tracking.policy import OnAbsent, Policy
from connector.tracking.recording import Recorder, record
from connector.tracking.silence import Silence, silences

logger = logging.getLogger("connector")

TAKE_OVER_SECONDS = 1.0
SHORTEST_ID = 4


class Connector:
    """Sends campaigns, takes reports, tells what became of everybody.

    `settings` is what `connector.toml` holds, as a dictionary, or checked `Settings`. `secrets` finds a
    secret by its reference, each time that it is used; `plugins` are used beside the installed ones. `on_event` is
    called with every event, and `sinks` take them in batches, by name, while there is work (`work`, `wait`, `run` ...).

    Building one starts no thread and opens no connection; it is safe to share between threads, and across a fork.
    `close` gives everything back; what is used after it opens anew.

    Raises `ConfigurationError` with everything that is wrong.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any],
        *,
        secrets: ReadSecret | None = None,
        plugins: Iterable[object] | Plugins = (),
        sinks: Mapping[str, Sink] | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.plugins = plugins if isinstance(plugins, Plugins) else Plugins(plugins)
        if isinstance(settings, Settings) and secrets is not None:
            raise ConfigurationError(
                "Checked settings know who reads their secrets: give secrets when they are checked."
            )
        self.settings = (
            settings if isinstance(settings, Settings) else check_settings(settings, self.plugins, "settings", secrets)
        )
        self._clock = clock
        self._guard = threading.RLock()
        self._http = Http()
        self._lines: dict[str, Line] | None = None
        self._by_id: dict[str, Provider] = {}
        self._recorder: Recorder | None = None
        self._intake: adding.Intake | None = None
        self.ledger = Ledger(self.settings.storage.url)
        forking.in_child(self, Connector._begin_anew)
        self._own_sinks = sinks_of(sinks or {}, on_event, self.settings.sinks)
        self._made_sinks: dict[str, Sink] | None = None
        self._choices = {
            name: Choice.of(each.settings, without=trial.CAMPAIGN) for name, each in self.settings.sinks.items()
        }
        self._readers = Readers(self.ledger, self._choices, clock)
        tracking = self.settings.tracking
        self.policy = Policy(
            waiting_period=timedelta(days=tracking.waiting_period_days),
            doubt_window=timedelta(seconds=tracking.doubt_window_seconds),
            resend_lead=timedelta(seconds=tracking.resend_lead_seconds),
            on_absent=OnAbsent(tracking.on_absent),
            missed_schedule=timedelta(minutes=self.settings.limits.missed_schedule_minutes),
            stop_at_error_rate=self.settings.limits.stop_at_error_rate,
            stop_after_messages=self.settings.limits.stop_after_messages,
            messages_per_day=self.settings.limits.messages_per_day,
        )

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] = "connector.toml",
        *,
        secrets: ReadSecret | None = None,
        plugins: Iterable[object] | Plugins = (),
        sinks: Mapping[str, Sink] | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """A connector from its configuration file. Raises `ConfigurationError`."""
        loaded = plugins if isinstance(plugins, Plugins) else Plugins(plugins)
        settings = load_settings(path, loaded, secrets)
        return cls(settings, plugins=loaded, sinks=sinks, on_event=on_event, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads, and close the connections; what was handed over is written first."""
        with self._guard:
            if self._recorder is not None:
                self._recorder.close()
            for sink in (self._made_sinks or {}).values():
                sink.close()
            self._made_sinks = None
            self._http.close()
            self._recorder = None
            self._intake = None
            self._lines = None
            self._http = Http()
            self.ledger.close()

    # The parts, made when they are first needed

    def _begin_anew(self) -> None:
        """In a forked child: what the parent has open is the parent's."""
        self._guard = threading.RLock()
        self._http = Http()
        self._made_sinks = None
        self._lines = None
        self._recorder = None
        self._intake = None

    @property
    def lines(self) -> dict[str, Line]:
        """Every configured integration, ready to send, by its name."""
        with self._guard:
            if self._lines is None:
                made = {name: self._provider(name) for name in self.settings.integrations}
                sinks = self._sinks
                now = self._clock()
                with self.ledger.write() as connection:
                    ids = {
                        name: registry.integration_id(
                            connection,
                            name,
                            provider=self.settings.integrations[name].provider,
                            account=provider.account,
                            configured=set(made),
                        )
                        for name, provider in made.items()
                    }
                    for provider in made.values():
                        pace.register(connection, provider.account, now)
                    # Before anything is written, so that a new sink misses nothing of it.
                    cursors.declare(connection, sinks, of_program=self._own_sinks)
                self._lines = {name: self._line(name, provider, ids[name]) for name, provider in made.items()}
                self._by_id = {ids[name]: provider for name, provider in made.items()}
            return self._lines

    @property
    def _sinks(self) -> dict[str, Sink]:
        """Every sink by its name: those of the settings, and those of the host."""
        with self._guard:
            if self._made_sinks is None:
                self._made_sinks = {
                    name: self.plugins.sink(each.kind, name, each.settings, self._http)
                    for name, each in self.settings.sinks.items()
                }
            return self._made_sinks | self._own_sinks

    def _sinks_of(self, integration: str, campaign: str) -> dict[str, Sink]:
        """The sinks that get the events of a campaign."""
        return {
            name: sink
            for name, sink in self._sinks.items()
            if self._choices.get(name, EVERYTHING).concerns(integration, campaign)
        }

    def _provider(self, name: str) -> Provider:
        configured = self.settings.integrations[name]
        return self.plugins.setup(Integration(name, configured.settings, configured.provider), self._http)

    def _line(self, name: str, provider: Provider, integration_id: str) -> Line:
        settings = self.settings.integrations[name].settings
        account = self.settings.accounts.get(provider.account)
        public_url = self.settings.server.public_url
        return Line(
            provider=provider,
            integration_id=integration_id,
            request_timeout_seconds=settings.request_timeout_seconds,
            messages_per_second=account.messages_per_second if account else settings.messages_per_second,
            callback_base=f"{public_url}{callbacks.PATH}{integration_id}" if public_url else None,
        )

    def prepare(self) -> None:
        """Open the ledger and set up every integration now, so that what is wrong shows at once."""
        _ = self.lines

    @property
    def recorder(self) -> Recorder:
        """Makes receipts durable; its thread starts with the first one."""
        with self._guard:
            if self._recorder is None:
                self._recorder = Recorder(self.ledger, self.policy, self._clock)
            return self._recorder

    @property
    def desk(self) -> Desk:
        """What the worker's steps need."""
        return Desk(
            ledger=self.ledger,
            plugins=self.plugins,
            lines=self.lines,
            policy=self.policy,
            clock=self._clock,
            monotonic=time.monotonic,
            transactional=transactional(self.settings),
        )

    # Sending

    def send(
        self,
        campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str],
        recipients: Recipients,
        *,
        key: str | None = None,
        again: bool = False,
        drain: bool = True,
    ) -> Dispatch:
        """Plan a dispatch, and send it unless told not to; returns when nothing is waiting any more.

        `campaign`: a `Campaign`, a mapping, or a file; `recipients`: a file, or an iterable of `Recipient`s or
        mappings. The same `key` again goes on with its dispatch, or finds it done; without one, the key is a
        digest of campaign and recipients, and a finished dispatch is not repeated unless `again`.

        Raises `CampaignError` and `RecipientsError` before anything is sent, `KeyConflict` for rule-breaking
        repeats.
        """
        dispatch = self.plan(campaign, recipients, key=key, again=again)
        if drain:
            dispatch.drain()
        return dispatch

    def plan(
        self,
        campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str],
        recipients: Recipients,
        *,
        key: str | None = None,
        again: bool = False,
    ) -> Dispatch:
        """Read, screen and store a dispatch without sending it; or find the one that is there under its key."""
        order = Order.read(campaign, recipients, self.settings)
        with order.source as source:
            provider = self._checked(order)
            for number, dispatch_id in planning.abandoned(self.ledger):
                logger.warning("The dispatch %s was never read to its end; it is removed.", dispatch_id)
                planning.prune(self.ledger, number)
            digest = order.digest_ahead()
            wanted = key or digest
            if wanted is not None:
                found = self._existing(wanted, given=key is not None)
                if found is not None and (not again or key is not None or self._goes_on(found)):
                    return self._repeated(found, key, digest or order.digest())
                if found is not None:
                    with self.ledger.read() as connection:
                        wanted = planning.next_key(connection, wanted)
            sinks = self._sinks_of(order.integration, order.campaign.name)
            sessions = self._sessions_for(provider, order.campaign)
            what = order.plan(provider, sinks, sessions, key=wanted, key_is_given=key is not None)
            try:
                number = planning.plan(self.ledger, what, clock=self._clock, again=again)
            except planning.AlreadyThere as error:
                return self._repeated(self._row(error.number), key, error.digest)
            missing = source.missing(what.screen.names)
            if missing:
                logger.warning("No row has a value for %s.", ", ".join(missing))
            return Dispatch(self, number)

    def open(self, campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str], *, key: str) -> OpenDispatch:
        """A dispatch that stays open for messages that are added one at a time; or the one under its key.

        It is sent by whoever works on this ledger, and stays open over restarts until it is closed or cancelled.
        `campaign` has no time to send at. Once it has expired, what is added is skipped.

        Raises `CampaignError`, and `KeyConflict` where the key belongs to something else.
        """
        adding.check_key(key)
        order = Order.read(campaign, (), self.settings)
        order.check()
        if order.campaign.send_at is not None:
            sentence = "What is added to an open dispatch goes out at once: leave this out, and add it when it is time."
            raise CampaignError([Fault("send_at", sentence, order.name)])
        provider = self.lines[order.integration].provider
        with self.ledger.read() as connection:
            number = opening.find(connection, order.campaign, integration=order.integration, key=key)
        if number is None:
            order.check_with(provider, now=self._clock())
            with self.ledger.write() as connection:
                number = opening.find_or_begin(
                    connection,
                    order.campaign,
                    integration=order.integration,
                    account=provider.account,
                    key=key,
                    now=self._clock(),
                )
        return OpenDispatch(self, number)

    def started(
        self,
        campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str],
        recipients: Recipients,
        *,
        key: str | None = None,
    ) -> "Dispatch | None":
        """The dispatch that `plan` would go on with, or find done; None: it would make a new one.

        Without a key, recipients that can be read only once are not recognized.
        """
        order = Order.read(campaign, recipients, self.settings)
        with order.source:
            self._checked(order)
            wanted = key or order.digest_ahead()
        found = None if wanted is None else self._existing(wanted, given=key is not None)
        return None if found is None else Dispatch(self, found.number)

    def integration_of(self, campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str]) -> str:
        """The name of the integration that a campaign goes through. Raises `CampaignError`."""
        checked, source_name = read_campaign(campaign)
        faults = campaign_faults(checked, self.settings, source_name)
        if faults:
            raise CampaignError(faults)
        return integration_of(checked, self.settings)

    def preview(
        self,
        campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str],
        recipients: Recipients,
        *,
        ask_provider: bool = False,
        on_skip: Callable[[Skip], object] | None = None,
    ) -> Preview:
        """What a dispatch would be, in full, with nothing stored or sent.

        With `ask_provider` the provider tries the first request dry, where it can. `on_skip` is called with every row
        that would not be messaged; the preview itself has the first ones.
        """
        order = Order.read(campaign, recipients, self.settings)
        with order.source:
            provider = self._checked(order)
            sinks = self._sinks_of(order.integration, order.campaign.name)
            sessions = self._sessions_for(provider, order.campaign)
            what = order.plan(provider, sinks, sessions, key=None, key_is_given=False)
            return preview(what, clock=self._clock, provider=provider if ask_provider else None, on_skip=on_skip)

    def _checked(self, order: Order) -> Provider:
        """The provider of an order that can be sent. Raises `CampaignError`."""
        order.check()
        provider = self.lines[order.integration].provider
        order.check_with(provider, now=self._clock())
        return provider

    def _existing(self, key: str, *, given: bool) -> Row[Any] | None:
        with self.ledger.read() as connection:
            if given:
                return connection.execute(select(dispatches).where(dispatches.c.key == key)).first()
            return planning.latest(connection, key)

    def _goes_on(self, found: Row[Any]) -> bool:
        with self.ledger.read() as connection:
            return planning.goes_on(connection, found)

    def _repeated(self, found: Row[Any], key: str | None, digest: str) -> Dispatch:
        """A dispatch that was started before under this key."""
        dispatch = Dispatch(self, found.number)
        if found.state == DispatchState.planning:
            raise KeyConflict(
                f"The dispatch {found.id} with this key is being read by another process just now; wait for it."
            )
        if found.open is not None:
            raise KeyConflict(
                f"The key {key!r} belongs to the dispatch {found.id}, to which messages are added one at a time. Give "
                f"a new key."
            )
        if found.digest != digest:
            raise KeyConflict(
                f"The key {key!r} belongs to the dispatch {found.id}, which has another campaign or other "
                f"recipients. Give a new key."
            )
        if key is None and not self._goes_on(found):
            raise KeyConflict(
                f"This campaign has been sent to these recipients already, by the dispatch {found.id}. "
                f"To send it to all of them once more, say --again (in Python: again=True)."
            )
        return dispatch

    # Adding to open dispatches

    @property
    def _adds(self) -> adding.Intake:
        with self._guard:
            if self._intake is None:
                self._intake = adding.Intake(self.ledger, self._clock, self._screening)
            return self._intake

    def _sessions_for(self, provider: Provider, campaign: Campaign) -> Sessions | None:
        """What a campaign's message needs of the sessions of people; None: nothing."""
        rule = provider.session_of(campaign.message)
        return None if rule is None else Sessions(self.ledger, provider.account, rule)

    def _screening(self, number: int) -> adding.Screening:
        """What the messages of an open dispatch are screened by."""
        row = self._row(number)
        line = self.lines.get(row.integration)
        if line is None:
            raise NotFound(
                f"The integration {row.integration} of the dispatch {row.id} is not in the configuration: nothing can "
                f"be added."
            )
        campaign = Campaign.model_validate_json(row.campaign)
        screen = screen_of(campaign, self.settings, line.provider)
        lacking = Lacking(self._sinks_of(row.integration, row.campaign_name), campaign.metadata)
        sessions = self._sessions_for(line.provider, campaign)
        return adding.Screening(screen, line.provider.limits_of(campaign.message), lacking, self._clock, sessions)

    # Working

    def worker(self, *, replies: bool = True) -> Worker:
        """What drains the ledger, and asks for `replies` meanwhile; its threads live as long as its `run`."""
        return Worker(self.desk, replies=replies)

    def poll(self, dispatch: str | None = None) -> Polled:
        """Ask the providers now for all that callbacks may not have brought, beside whoever works on this ledger.

        For the reports of every batch that may have more to tell, of one dispatch (its id or key) or of all, and
        for what people wrote to every account. What could not be asked is told in `trouble`. Raises `NotFound`
        where there is no such dispatch.
        """
        polled = polls.poll(self.desk, None if dispatch is None else self.dispatch(dispatch).number)
        upkeep(self.desk)
        return polled

    def recheck(self) -> Rechecked:
        """Have everything that waits looked up before it is sent: the ledger was put back from a backup.

        Of all dispatches, before anybody works on the ledger again. Open dispatches take no more messages after it, as
        the numbers of their next ones were given before. Raises `WorkerBusy` when another process drains the ledger,
        and `ReadFailed` where a provider can't be asked; then nothing is changed, and it may be called again.
        """
        try:
            with self.ledger.hold(ROLE):
                return rechecking.recheck(self.desk)
        except WorkerBusy as error:
            raise WorkerBusy(
                "Another process sends from this ledger. Stop `connector serve` and `connector worker` first, then "
                "have everything looked up."
            ) from error

    def keep_up(self, stop: threading.Event) -> None:
        """Tidy the ledger now and then until told to stop, as a worker does: for who only takes callbacks."""
        while not stop.is_set():
            try:
                upkeep(self.desk)
            except Exception as error:
                told = error if isinstance(error, ConnectorError) else without_words(error)
                logger.error("The ledger was not tidied; it is tried again: %s", told)
            stop.wait(UPKEEP_SECONDS)

    def work(self, *, max_seconds: float | None = None) -> None:
        """Do what is due and hand over what happened, until nothing is due, or the time is up.

        What is under way when the time is up is finished first: a request takes at most its timeout, a look-up of
        a provider that fails a minute, a call of a sink as long as it likes.

        Raises `WorkerBusy` when another process drains this ledger; events are handed over all the same.
        """
        worker = self.worker()
        busy = None
        with self._handing_over(max_seconds=max_seconds):
            try:
                worker.run(until=worker.nothing_is_due, max_seconds=max_seconds)
            except WorkerBusy as error:
                busy = error
        if busy is not None:
            raise busy

    def deliver(self, *, max_seconds: float | None = None) -> None:
        """Hand over what has happened until now, and nothing else: where another process does the work."""
        with self._handing_over(max_seconds=max_seconds):
            pass

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop, handing over what happens; while another process drains, wait to take over."""
        while not stop.is_set():
            try:
                with self._handing_over(stop):
                    self._drain_or_stand_by(stop)
            except Exception as error:
                told = error if isinstance(error, ConnectorError) else without_words(error)
                logger.error("The worker stopped and starts again: %s", told)
                stop.wait(TAKE_OVER_SECONDS)

    def _drain_or_stand_by(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.worker().run(stop=stop)
            except WorkerBusy:
                stop.wait(TAKE_OVER_SECONDS)

    @contextmanager
    def _handing_over(
        self,
        stop: threading.Event | None = None,
        *,
        max_seconds: float | None = None,
        last_seconds: float | None = None,
    ) -> Iterator[None]:
        """Hand events to the sinks while a block runs."""
        sinks = self._sinks
        if sinks:
            self.prepare()
        with self._readers.running(sinks, stop=stop, max_seconds=max_seconds, last_seconds=last_seconds):
            yield

    def worker_is_running(self) -> bool:
        """Whether some process drains this ledger just now."""
        return self.ledger.is_held(ROLE)

    def server_is_running(self) -> bool:
        """Whether some process takes callbacks for this ledger just now."""
        with self.ledger.read() as connection:
            return receiver_is_there(connection, self._clock())

    def sink_is_read(self, name: str) -> bool:
        """Whether some process hands events to this sink just now; between two turns none does for a moment."""
        return self._readers.reads(name)

    # Looking

    def dispatch(self, dispatch_id: str) -> Dispatch:
        """A dispatch by its id, its key, or a beginning of its id that no other has, of 4 characters or more.

        Raises `NotFound`, also for a beginning that several have.
        """
        named = select(dispatches.c.number, dispatches.c.id)
        with self.ledger.read() as connection:
            found = (
                connection.execute(named.where(dispatches.c.id == dispatch_id)).all()
                or connection.execute(named.where(dispatches.c.key == dispatch_id)).all()
            )
            if not found and len(dispatch_id) >= SHORTEST_ID:
                beginning = func.substr(dispatches.c.id, 1, len(dispatch_id))
                found = connection.execute(
                    named.where(beginning == dispatch_id).order_by(dispatches.c.number.desc())
                ).all()
        if not found:
            raise NotFound(f"There is no dispatch {dispatch_id}; `connector dispatches` lists them.")
        if len(found) > 1:
            several = ", ".join(row.id for row in found)
            raise NotFound(f"The ids of several dispatches begin with {dispatch_id}: {several}. Write more of the id.")
        row = found[0]
        return self._dispatch(self._row(row.number))

    def _dispatch(self, row: Row[Any]) -> Dispatch:
        return Dispatch(self, row.number) if row.open is None else OpenDispatch(self, row.number)

    def _row(self, number: int) -> Row[Any]:
        with self.ledger.read() as connection:
            return connection.execute(select(dispatches).where(dispatches.c.number == number)).one()

    def dispatches(self) -> list[DispatchLine]:
        """Every dispatch, newest first."""
        gone = {number for number, _ in planning.abandoned(self.ledger)}
        with self.ledger.read() as connection:
            rows = connection.execute(select(dispatches).order_by(dispatches.c.number.desc())).all()
            return [overview.line_of(row, self._report(connection, row), row.number in gone) for row in rows]

    def waiting(self) -> list[DispatchLine]:
        """The dispatches of which something could leave now, oldest first: whoever works next sends it."""
        with self.ledger.read() as connection:
            numbers = due.of_dispatches(connection, self._clock())
            rows = connection.execute(
                select(dispatches).where(dispatches.c.number.in_(numbers)).order_by(dispatches.c.number)
            ).all()
            return [overview.line_of(row, self._report(connection, row), False) for row in rows]

    def of_campaign(self, name: str) -> list[Dispatch]:
        """The dispatches of a campaign, newest first; those whose recipients are still being read are left out.

        Raises `NotFound` where there is none.
        """
        with self.ledger.read() as connection:
            numbers = connection.scalars(
                select(dispatches.c.number)
                .where(dispatches.c.campaign_name == name, dispatches.c.state != DispatchState.planning)
                .order_by(dispatches.c.number.desc())
            ).all()
        if not numbers:
            raise NotFound(f"There is no dispatch of a campaign {name!r}; `connector dispatches` lists them.")
        return [self._dispatch(self._row(number)) for number in numbers]

    def page(self, of: Iterable[Dispatch]) -> str:
        """The report of one or more dispatches of a campaign as HTML: one file that needs nothing else.

        Pictures are inside, phone numbers are not. All of it is of one moment.
        """
        chosen = [dispatch.number for dispatch in of]
        with self.ledger.read() as connection:
            rows = connection.execute(
                select(dispatches).where(dispatches.c.number.in_(chosen)).order_by(dispatches.c.number.desc())
            ).all()
            reports = [self._report(connection, row) for row in rows]
            return report_page.page(connection, rows, reports, now=self._clock())

    def messages_of(self, number: str) -> Person:
        """All that is known of the messages to a phone number, in any usual spelling, over all dispatches.

        Or to another address that a provider of an integration takes. Raises `InputError` for what is neither.
        """
        read = Numbers(self.settings.screening.default_region).canonical(number)
        others = (line.provider.address_of(number) for line in self.lines.values())
        address = read[0] if read else next(filter(None, others), None)
        if address is None:
            raise InputError(
                "This is no phone number that can exist; write it with its country code, as in +46 70 174 06 05."
            )
        with self.ledger.read() as connection:
            return person.person(connection, address, self.plugins.providers)

    def _report(self, connection: Any, row: Row[Any]) -> Report:
        return reporting.build(
            connection,
            row,
            providers=self.plugins.providers,
            countries_without_reports=list(self.settings.tracking.countries_without_reports),
        )

    def events(self, *, after: int = -1, limit: int = 1000, dispatch: str | None = None) -> list[Event]:
        """Up to `limit` events that follow a position of the log, oldest first."""
        number = None if dispatch is None else self.dispatch(dispatch).number
        with self.ledger.read() as connection:
            return log.read(connection, after=after, limit=limit, dispatch=number)

    def accounts(self) -> list[AccountState]:
        """Every account that was ever used."""
        with self.ledger.read() as connection:
            return overview.accounts_of(connection)

    def set_rate(self, account: str, messages_per_second: float | None) -> None:
        """Give an account another pace at once, also for dispatches that are under way; None: that of the settings.

        Raises `NotFound` where no such account was ever used.
        """
        with self.ledger.write() as connection:
            known = pace.set_rate(connection, account, messages_per_second, self._clock())
        if not known:
            names = ", ".join(each.name for each in self.accounts()) or "none was used yet"
            raise NotFound(f"There is no account {account}; known: {names}.")

    def silences(self) -> list[Silence]:
        """The integrations through which messages were accepted, and nothing has been reported since for a while."""
        with self.ledger.read() as connection:
            return silences(connection, self._clock())

    def sinks(self) -> list[SinkState]:
        """Every sink that this ledger knows, how far it has come, what troubles it, and whether it is configured."""
        self.prepare()
        with self.ledger.read() as connection:
            return cursors.states(connection, configured={*self.settings.sinks, *self._own_sinks})

    def resume_sink(self, name: str) -> None:
        """Let a sink that waits, or was stopped, try again at once.

        Raises `NotFound` where there is no such sink, or none that is configured.
        """
        self._configured_sink(name)
        with self.ledger.write() as connection:
            cursors.resume(connection, name)

    def refused_events(self, sink: str, *, limit: int = 1000) -> list[RefusedEvent]:
        """The events that a sink refused for good, latest first, with the platform's words. Raises `NotFound`."""
        self._known_sink(sink)
        with self.ledger.read() as connection:
            return dead_letters.listed(connection, sink, limit=limit)

    def replay_refused(self, sink: str, numbers: Sequence[int] | None = None) -> int:
        """Have refused events tried once more: those with these numbers, or all; returns how many.

        Raises `NotFound` where there is no such sink, none that is configured, or where it has not refused one of the
        numbers; then nothing is done.
        """
        self._configured_sink(sink)
        with self.ledger.write() as connection:
            return dead_letters.try_again(connection, sink, numbers)

    def discard_refused(self, sink: str, numbers: Sequence[int] | None = None) -> int:
        """Give refused events up: those with these numbers, or all; returns how many.

        Raises `NotFound` where there is no such sink, or where it has not refused one of the numbers; then nothing is
        done.
        """
        self._known_sink(sink)
        with self.ledger.write() as connection:
            return dead_letters.discard(connection, sink, numbers)

    def forget_sink(self, name: str) -> int:
        """Forget a sink that isn't configured any more, with its place in the log, and what it refused.

        Returns how many events it had refused. Where a program has it that runs elsewhere, that hands it nothing any
        more until it starts again. Raises `NotFound`, `ConfigurationError` where this connector has the sink, and
        `WorkerBusy` while events are handed to it.
        """
        if name in self.settings.sinks:
            raise ConfigurationError(
                f"The sink {name} is configured: take its table [sinks.{name}] out of the configuration first."
            )
        if name in self._own_sinks:
            raise ConfigurationError(f"The sink {name} is handed over here: make the connector without it first.")
        self._known_sink(name)
        return self._readers.forget(name)

    def replay(
        self,
        sink: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        dispatch: str | None = None,
    ) -> int:
        """Have a sink get, under the same ids, a part of the log: from a time on, up to one, or of a dispatch.

        All that was recorded between the times and that it is configured to get: what it has had comes again, and what
        happened before it was added comes, too. Whoever works on this ledger hands it over. Returns how many events
        were recorded there. Raises `NotFound` where there is no such sink, or none that is configured, and
        `InputError` for times without an offset.
        """
        _require_offset(since=since, until=until)
        position = self._configured_sink(sink).position
        number = None if dispatch is None else self.dispatch(dispatch).number
        with self.ledger.write() as connection:
            after = cursors.BEGINNING if since is None else log.before(connection, since)
            end = position if until is None else min(position, log.before(connection, until))
            recorded = log.count(connection, after=after, until=end, dispatch=number) if after < end else 0
            if recorded:
                replays.ask(connection, sink, dispatch=number, after=after, until=end, now=self._clock())
        return recorded

    def _known_sink(self, name: str) -> SinkState:
        states = {state.name: state for state in self.sinks()}
        if name not in states:
            raise NotFound(f"There is no sink {name}; known: {', '.join(states) or 'none'}.")
        return states[name]

    def _configured_sink(self, name: str) -> SinkState:
        state = self._known_sink(name)
        if not state.is_configured:
            raise NotFound(
                f"The sink {name} is no longer configured, so nothing goes there. With its table [sinks.{name}] back "
                "in the configuration it goes on where it was."
            )
        return state

    def counters(self) -> dict[str, dict[str, int]]:
        """What makes no event, by integration: forged, repeated, late reports ..."""
        with self.ledger.read() as connection:
            names = registry.names(connection)
            return {names.get(key, key): value for key, value in counters.read(connection).items()}

    def kept(self, why: WhyKept) -> int:
        """How many reports are kept for a reason."""
        with self.ledger.read() as connection:
            query = select(func.count()).select_from(kept_reports).where(kept_reports.c.why == why)
            return connection.scalar(query) or 0

    def kept_reports(self, why: WhyKept, *, limit: int = 1000) -> list[KeptReport]:
        """The reports that are kept for a reason, the latest first."""
        with self.ledger.read() as connection:
            return overview.reports_kept(connection, why, limit=limit)

    def position_before(self, at: datetime) -> int:
        """A position of the log that `events(after=...)` takes, before everything recorded at a time or later.

        Raises `InputError` for a time without an offset.
        """
        _require_offset(at=at)
        with self.ledger.read() as connection:
            return log.before(connection, at)

    def verify(self, *, with_provider: bool = False) -> dict[str, list[str]]:
        """Recount every dispatch from its messages and from its events: dispatch id to what disagrees.

        With `with_provider` also compare batch by batch with what the provider lists as accepted, as far back as it
        lists. Raises `ReadFailed` when it can't be asked.
        """
        found: dict[str, list[str]] = {}
        with self.ledger.read() as connection:
            for row in connection.execute(select(dispatches).order_by(dispatches.c.number)).all():
                found[row.id] = recount.differences(connection, row)
        if with_provider:
            for name, wrong in audit(self.ledger, self.lines.values(), now=self._clock()).items():
                found.setdefault(name, []).extend(wrong)
        return found

    def callback_addresses(self) -> dict[str, str]:
        """Where the provider of each integration reports to, by its name; without its batch key."""
        public_url = self.settings.server.public_url
        base = public_url or f"http://{self.settings.server.host}:{self.settings.server.port}"
        return {name: f"{base}{callbacks.PATH}{line.integration_id}" for name, line in self.lines.items()}

    # Trying

    def check(self, *, receiving: bool | None = None) -> list[Finding]:
        """Try everything that is configured, by safe reads and a rehearsed report of which nothing is left.

        `receiving`: whether a server takes callbacks all the time; None: the ledger says.
        """
        found = [house.storage(self.ledger)]
        if not self.settings.integrations:
            sentence = "No integration is configured yet: `connector setup` asks for one."
            found.append(Finding("integrations", Result.wrong, sentence))
        if found[0].result is Result.wrong:
            # What the services and platforms say doesn't depend on it.
            for name, configured in self.settings.integrations.items():
                found += try_settings(name, self._provider(name), configured.settings)
            for name in self._sinks:
                found += self._try_platform(name)
            return found
        public_url = self.settings.server.public_url
        for name, line in self.lines.items():
            tried = self.try_integration(name)
            if all(each.name != SECRETS for each in tried):
                tried += self.try_call_back(name, mend=False)
            found += [*tried, *self.try_account(name)]
            found.append(replies.prove(name, line.provider, self.plugins, self.ledger, now=self._clock()))
        for name in self._sinks:
            try:
                with self.ledger.read() as connection:
                    cursors.read(connection, name)
                found += self.try_sink(name)
            except NotFound as error:
                found.append(Finding("events", Result.wrong, str(error), sink=name))
        if not self.settings.integrations:
            return found
        receiving = self.server_is_running() if receiving is None else receiving
        working = self.worker_is_running()
        return [*found, *house.workers(receiving=receiving, working=working, called_back=public_url is not None)]

    def try_integration(self, name: str) -> list[Finding]:
        """Ask the real service of one integration, and rehearse a report through the public address."""
        line, settings = self.lines[name], self.settings
        found = try_settings(name, line.provider, settings.integrations[name].settings)
        named = {sender: each.value for sender, each in settings.senders.items()}
        readable = all(each.name != SECRETS for each in found)
        found += senders(name, line.provider, named, settings.defaults.sender)
        if readable:
            found += callback_path.prove(
                name,
                line.provider,
                line.integration_id,
                settings.server.public_url,
                self.ledger,
                behind=f"{settings.server.host}:{settings.server.port}",
                clock=self._clock,
            )
        return found

    def try_call_back(self, name: str, *, mend: bool) -> list[Finding]:
        """Whether the service of an integration is set to call back here; with `mend`, it is set so first.

        Nothing for services that are told with every request, or where no `public_url` is set.
        """
        if self.settings.server.public_url is None:
            return []
        return called_back(name, self.lines[name].provider, self.callback_addresses()[name], mend=mend)

    def try_sink(self, name: str) -> list[Finding]:
        """Ask the platform of a sink, without writing anything there, and tell how it is doing.

        Raises `NotFound` where there is no such sink, or none that is configured.
        """
        state = self._configured_sink(name)
        return [
            *self._try_platform(name),
            *sinks_checking.doing(
                name,
                trouble=state.trouble,
                waiting=state.lag + state.again + state.replaying,
                refused=state.dead_letters,
            ),
        ]

    def _try_platform(self, name: str) -> list[Finding]:
        """Nothing of a sink that the program of another process hands over."""
        if name not in self._sinks:
            return []
        configured = self.settings.sinks.get(name)
        return sinks_checking.try_sink(name, self._sinks[name], None if configured is None else configured.settings)

    def try_account(self, name: str) -> list[Finding]:
        """Whether an integration's account is well, and shows a batch that it accepted when it is looked up."""
        line = self.lines[name]
        if line.provider.supports("find"):
            doubt.prove_look_up(self.desk, line)
        with self.ledger.read() as connection:
            return house.account(name, line.provider, connection)

    def reply_guidance(self) -> dict[str, str]:
        """How a person has replies brought here, by integration; none where nothing needs to be done, or can be."""
        if self.settings.server.public_url is None:
            return {}
        told = {
            name: self.lines[name].provider.reply_guidance(address)
            for name, address in self.callback_addresses().items()
        }
        return {name: sentence for name, sentence in told.items() if sentence}

    def try_number(
        self, number: str, *, integration: str | None = None, wait_seconds: float = trial.WAIT_SECONDS
    ) -> Trial:
        """Send a real message to one number, and wait for its report: called back, or else asked for.

        It goes the way of every message, as a campaign of its own, and stays in the ledger as one. Raises
        `CampaignError` where no integration is the default one.
        """
        categories = self.settings.categories
        kinds = [name for name, each in categories.items() if each.kind == "transactional"]
        campaign = Campaign(
            name=trial.CAMPAIGN,
            message=Message(text=trial.TEXT),
            integration=integration,
            sender=None if self.settings.defaults.sender else tuple(self.settings.senders) or None,
            category=next(iter(kinds), None if categories else "transactional"),
        )
        integration = self.integration_of(campaign)
        if not self.worker_is_running():
            with self.ledger.read() as connection:
                others = trial.unfinished(connection)
            if others:
                return Trial(integration, cause=trial.would_send_others(others))
        started = self._clock()
        key = f"{trial.CAMPAIGN}-{randomness.token_hex(8)}"
        dispatch = self.plan(campaign, [Recipient(number)], key=key)
        try:
            return self._tried(dispatch, started, wait_seconds)
        finally:
            if not dispatch.report().is_settled:
                # Nobody wants it tomorrow, when somebody works on this ledger again.
                dispatch.pause()

    def _tried(self, dispatch: Dispatch, started: datetime, wait_seconds: float) -> Trial:
        with self.ledger.read() as connection:
            called_back = callbacks_expected(connection, self.lines[dispatch.integration], self._clock())
        with _within(wait_seconds) as over:
            dispatch.drain(stop=over, hand_over_seconds=0)
        if dispatch.report().open:
            if called_back:
                later = self._clock() + timedelta(seconds=wait_seconds + trial.POLL_SECONDS)
                with self.ledger.write() as connection:
                    trial.poll_at(connection, dispatch.number, later)
            with _within(wait_seconds) as over:
                dispatch.drain(final=True, stop=over, hand_over_seconds=0)
        told_by = ToldBy.callback if called_back else ToldBy.poll
        if called_back and dispatch.report().open:
            told_by = ToldBy.poll
            with self.ledger.write() as connection:
                trial.poll_at(connection, dispatch.number, self._clock())
            with _within(trial.POLL_SECONDS) as over:
                dispatch.drain(final=True, stop=over, hand_over_seconds=0)
        return trial.outcome(
            dispatch.integration,
            dispatch.report(),
            dispatch.events(),
            started=started,
            told_by=told_by,
            called_back=called_back,
            waited_seconds=wait_seconds,
        )

    # Receiving

    def _read_callback(self, request: Request) -> callbacks.Read | Response:
        def find(integration_id: str) -> Provider | None:
            _ = self.lines
            return self._by_id.get(integration_id)

        return callbacks.read(request, find=find, plugins=self.plugins, now=self._clock())

    def receive(self, request: Request) -> Response:
        """Take one callback, from any web framework; durable when this returns a 2xx."""
        # Who forgets that names of headers are to be in lower case must not lose every signed report.
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            read = self._read_callback(replace(request, headers=headers))
            if isinstance(read, Response):
                return read
            # Seen in the ledger from now on: who works on it asks for reports less.
            self.recorder.start()
            record(
                self.ledger,
                [(read.integration, receipt) for receipt in read.receipts],
                [(integration, name) for name, integration in read.counts.items()],
                policy=self.policy,
                now=self._clock(),
            )
        except ConnectorError as error:
            logger.error("A callback could not be stored: %s", error)
            return callbacks.NOT_STORED
        except Exception as error:
            logger.error("A callback could not be stored: %s", without_words(error))
            return callbacks.NOT_STORED
        return callbacks.answer(read)

    @cached_property
    def asgi(self) -> Edge:
        """The receiving edge as an ASGI application, to mount or to serve."""
        return Edge(
            self._read_callback, lambda: self.recorder, is_ready=lambda: self._lines is not None, prepare=self.prepare
        )


def _require_offset(**times: datetime | None) -> None:
    """Raise `InputError` for times that don't say of which time zone they are."""
    wrong = [name for name, at in times.items() if at is not None and at.utcoffset() is None]
    if wrong:
        raise InputError([Fault(name, "This time has no offset: give one, as in datetime.now(UTC).") for name in wrong])


@contextmanager
def _within(seconds: float) -> Iterator[threading.Event]:
    """An event that is set when the time is up."""
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        timer.join()
