"""What every provider must satisfy, as a class of tests: a plugin's test file subclasses it, and pytest does the rest.

    class TestPigeon(ProviderContract):
        provider = Pigeon
        settings = {"loft": "north", "token": "env:TOKEN"}
        accepted = (200, {"flight": "F1"})
        refused = (400, b"")
        delivered = staticmethod(lambda key, number: f"{key} {number} landed".encode())

The provider talks to an API on loopback that answers what the test wants. How it is with a whole dispatch, under
faults, is seen with a simulator: `python -m connector.testing sweep PROVIDER`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import stamina

from connector.config.load import check_settings
from connector.extension.hookspecs import hookimpl
from connector.extension.plugins import Plugins
from connector.extension.provider import CheckResult, Integration, Provider, problems
from connector.http import Http
from connector.model.batch import Attempt, Batch, Deadline
from connector.model.callback import Request, Verdict
from connector.model.errors import ConnectorError, NotReached, NotSent, ReadFailed, Throttled
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Outcome, Refused
from connector.model.report import Receipt, ReceiptKind, Report, ReportSource
from connector.model.text import Template
from connector.testing.answering import Api, answering

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
NUMBERS = ("12015550101", "12015550102")
KEY = "contract-0-0"
SECRET = "a-secret-of-the-contract"
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens there."""
Answer = tuple[int, Any]
"""Status and body; what isn't bytes is sent as JSON."""

GARBAGE: Sequence[bytes] = (
    b"",
    b"null",
    b"{}",
    b"[]",
    b"[[[]]]",
    b'"text"',
    b"7",
    b"\xff\xfe\x00",
    b"<html>",
    b'{"type": 7, "status": [], "message": {"id": {}}}',
    b'{"a": {"b": {"c": null}}}',
    json.dumps({"deep": [[[[[[[[1]]]]]]]]}).encode(),
)


class ProviderContract:
    """Give what follows, and every test of this class is a rule that the connector relies on."""

    provider: ClassVar[type[Provider]]
    settings: ClassVar[Mapping[str, Any]]
    """The integration's table without `provider` and its addresses; every secret has the same value, `SECRET`."""
    addresses: ClassVar[Sequence[str]] = ("base_url",)
    """Settings that take the address of the API."""
    always: ClassVar[Mapping[str, Answer]] = {}
    """Path to what it always answers, such as where access tokens come from."""
    accepted: ClassVar[Answer]
    """How the API says that it took a batch."""
    refused: ClassVar[Answer] = (400, b"")
    """How it says that it surely didn't, for another reason than pace."""
    message: ClassVar[Mapping[str, Any]] = {"text": "Hello ${name}"}
    """A campaign's message, with the parameter `name`."""
    delivered: ClassVar[Callable[[str, str], bytes]]
    """A report that a message of a batch, by its key, was delivered to a number; a static method."""

    # What the class says of itself

    def test_the_class_is_whole(self) -> None:
        assert list(problems(self.provider)) == []
        assert all(reason.strip() for reason in self.provider.declines.values())
        assert self.provider.limits.batch_recipients >= 1

    def test_every_code_is_explained_under_its_own_name(self) -> None:
        for (source, code), known in self.provider.codes.items():
            assert (known.source, known.code) == (source, code)
            assert known.meaning.strip(), code

    def test_its_settings_stand_in_a_configuration_and_show_no_secret(self) -> None:
        checked = check_settings(
            {"integrations": {"contract": {"provider": self.provider.name, **self._table(NOWHERE)}}},
            Plugins([_Offer(self.provider)], installed=False),
            read_secret=lambda reference: SECRET,
        )
        assert SECRET not in repr(checked)

    # Setting up

    def test_it_opens_nothing_until_it_is_used_and_names_its_account(self) -> None:
        with self._talking() as (provider, api):
            name, colon, own = provider.account.partition(":")
            assert (bool(name), colon, bool(own)) == (True, ":", True)
            assert api.seen == []
            assert SECRET not in repr(provider)

    def test_a_check_reads_only_and_tells_what_it_found(self) -> None:
        for status in (200, 401, 404, 500):
            with self._talking(status) as (provider, api):
                results = _checked(provider)
                assert {seen.method for seen in api.seen} <= {"GET", "HEAD"}, "a check changes nothing"
                assert all(each.name and each.message for each in results)
                assert status == 200 or any(each.ok is not True for each in results)
                assert SECRET not in str(results)

    # Sending

    def test_what_was_taken_is_accepted_with_an_id_after_one_request(self) -> None:
        with self._talking(*self.accepted) as (provider, api):
            outcome = provider.send(self._batch())
            assert isinstance(outcome, Accepted), outcome
            assert outcome.provider_batch_id
            (request,) = api.seen
            assert KEY.encode() in request.body, "the key travels with the batch"
            assert all(number.encode() in request.body for number in NUMBERS)

    def test_what_was_surely_refused_is_refused_without_a_number_in_its_words(self) -> None:
        with self._talking(*self.refused) as (provider, _):
            outcome = provider.send(self._batch())
            assert isinstance(outcome, Refused), outcome
            assert 400 <= outcome.status_code < 500
            assert not any(number in (outcome.comment or "") for number in NUMBERS)
            assert all(0 <= place < len(NUMBERS) for place in outcome.recipients)

    def test_an_answer_that_is_lost_leaves_it_in_doubt_and_is_not_asked_for_again(self) -> None:
        with self._talking(0) as (provider, api):
            assert _is_doubt(lambda: provider.send(self._batch()))
            assert len(api.seen) == 1

    def test_a_failure_of_the_api_is_no_refusal_and_is_not_asked_for_again(self) -> None:
        for status in (500, 502, 503, 504):
            with self._talking(status) as (provider, api):
                outcome = _outcome(lambda: provider.send(self._batch()))
                assert not isinstance(outcome, Accepted | Refused), status
                assert len(api.seen) == 1

    def test_an_answer_without_an_id_is_in_doubt(self) -> None:
        for body in (b"", b"<html>", b"[]", b"{}"):
            with self._talking(self.accepted[0], body) as (provider, _):
                assert _is_doubt(lambda: provider.send(self._batch())), body

    def test_being_asked_to_wait_fails_nobody(self) -> None:
        with self._talking(429, retry_after="7") as (provider, api):
            try:
                outcome = provider.send(self._batch())
            except Throttled as error:
                assert error.retry_after_seconds in (7.0, None)
            else:
                raise AssertionError(f"it answered {type(outcome).__name__}, and did not raise Throttled")
            assert len(api.seen) == 1

    def test_a_request_that_cannot_leave_was_not_sent(self) -> None:
        http = Http()
        try:
            provider = self._made(NOWHERE, http)
            assert isinstance(_outcome(lambda: provider.send(self._batch())), NotSent)
        finally:
            http.close()

    def test_a_worker_that_was_held_up_does_not_send_late(self) -> None:
        with self._talking(*self.accepted) as (provider, api):
            late = Deadline(NOW - timedelta(seconds=1), 0.0, clock=lambda: NOW, monotonic=lambda: 1.0)
            batch = self._batch()
            outcome = _outcome(lambda: provider.send(replace(batch, attempt=Attempt(1, late))))
            assert isinstance(outcome, NotReached), "batch.attempt.deadline.check comes just before the request"
            assert api.seen == []

    # Receiving

    def test_a_report_is_read(self) -> None:
        with self._talking() as (provider, _):
            body = type(self).delivered(KEY, NUMBERS[0])
            found = [each for each in _read(provider, body) if each.kind is ReceiptKind.message]
            (receipt,) = found
            assert receipt.status is not None and receipt.status.value == "delivered"
            assert receipt.batch_key == KEY or receipt.provider_batch_id or receipt.message_id
            assert receipt.recipient == NUMBERS[0] or receipt.message_id

    def test_a_report_that_cannot_be_read_is_kept_and_raises_nothing(self) -> None:
        whole = type(self).delivered(KEY, NUMBERS[0])
        with self._talking() as (provider, _):
            for body in (*GARBAGE, whole[: len(whole) // 2], whole[:-1] + b"\xff"):
                receipts = _read(provider, body)
                assert all(isinstance(each, Receipt) for each in receipts)
                assert all(each.problem for each in receipts if each.kind is ReceiptKind.unknown), body

    def test_a_rehearsed_callback_is_its_own_and_a_changed_one_is_not(self) -> None:
        if not self.provider.supports("rehearse"):
            return
        with self._talking() as (provider, _):
            request = provider.rehearse(KEY, NOW)
            keys = {each.batch_key for each in _read(provider, request.body)}
            assert keys == {KEY}
            if not self.provider.supports("verify"):
                return
            seconds = NOW.timestamp()
            verdict = provider.verify(request, now_seconds=seconds)
            assert verdict in (Verdict.genuine, Verdict.not_checked)
            if verdict is Verdict.genuine:
                bare = Request(request.method, request.path, {}, request.body)
                assert provider.verify(bare, now_seconds=seconds) is Verdict.forged

    # Looking up

    def test_a_look_up_that_failed_never_says_absent(self) -> None:
        if not self.provider.supports("find"):
            return
        for status, body in ((500, b""), (429, b""), (401, b""), (200, b"<html>"), (0, b"")):
            with self._talking(status, body) as (provider, _):
                try:
                    found = provider.find(self._batch())
                except ReadFailed:
                    continue
                assert isinstance(found, Found)
                assert found.state is FoundState.cannot_tell, (status, body)

    def test_whether_a_look_up_can_show_a_batch_is_told_without_asking(self) -> None:
        with self._talking() as (provider, api):
            assert provider.lists(self._batch()) in (True, False)
            assert api.seen == []

    def test_where_it_can_not_be_asked_about_channels_it_says_so_and_changes_nothing(self) -> None:
        if not self.provider.supports("failing"):
            return
        for status, body in ((500, b""), (429, b""), (401, b""), (404, b"{}"), (200, b"<html>"), (0, b"")):
            with self._talking(status, body) as (provider, api):
                told = _outcome(provider.failing)
                assert isinstance(told, ConnectorError), (status, body)
                assert SECRET not in str(told)
                assert {seen.method for seen in api.seen} <= {"GET", "HEAD"}

    def test_the_channels_of_a_batch_are_names(self) -> None:
        with self._talking() as (provider, api):
            channels = provider.channels_of(self._batch())
            assert channels is None or all(isinstance(each, str) and each for each in channels)
            assert api.seen == []

    # How it is done

    @contextmanager
    def _talking(self, status: int = 200, body: Any = b"{}", **headers: str) -> Iterator[tuple[Provider, Api]]:
        """The provider, and an API that always answers this; status 0: it breaks the connection off."""
        with answering() as api, stamina.set_testing(True, attempts=1):
            for path, (known, content) in self.always.items():
                api.at(path).will(known, content)
            api.will(status, body, **headers)
            http = Http()
            try:
                yield self._made(api.url, http), api
            finally:
                http.close()

    def _table(self, url: str) -> dict[str, Any]:
        return {**self.settings, **dict.fromkeys(self.addresses, url)}

    def _made(self, url: str, http: Http) -> Provider:
        settings = self.provider.Settings.model_validate(
            self._table(url), context={"read_secret": lambda reference: SECRET}
        )
        return self.provider(Integration("contract", settings, self.provider.name), http)

    def _batch(self) -> Batch:
        template = Template.read(str(self.message.get("text", "")), () if "text" in self.message else ("name",))
        return Batch(
            key=KEY,
            sender="Shop",
            template=template,
            defaults={},
            max_parts=3,
            recipients=NUMBERS,
            values=[["Ada"], ["Björn"]],
            attempt=Attempt(1, Deadline(NOW + timedelta(seconds=30), 30.0, lambda: NOW, lambda: 0.0)),
            first_sent_at=NOW,
            message=dict(self.message),
            message_ids=[f"{KEY}-{place}" for place in range(len(NUMBERS))],
        )


class _Offer:
    """A plugin that offers one provider."""

    def __init__(self, provider: type[Provider]) -> None:
        self._provider = provider

    @hookimpl
    def connector_provider(self) -> type[Provider]:
        return self._provider


def _outcome(send: Callable[[], object]) -> Any:
    """What sending, or asking, came to: an outcome, or what it raised."""
    try:
        return send()
    except Exception as error:
        return error


def _is_doubt(send: Callable[[], Outcome]) -> bool:
    outcome = _outcome(send)
    return isinstance(outcome, InDoubt) or (isinstance(outcome, Exception) and not isinstance(outcome, ConnectorError))


def _checked(provider: Provider) -> list[CheckResult]:
    try:
        return provider.check()
    except ConnectorError as error:
        return [CheckResult("check", False, str(error))]


def _read(provider: Provider, body: bytes) -> list[Receipt]:
    return list(provider.parse(Report(ReportSource.callback, body, NOW)))
