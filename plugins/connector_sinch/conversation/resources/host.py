"""One host of the API: asking it, following its pages, and saying what its refusals mean."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from connector.http import Answer, AnswerLost, Client
from connector.model.errors import ConnectorError, NotFound, ReadFailed, ReadRefused, Throttled
from connector_sinch.conversation.resources.limits import Pages, page_size
from connector_sinch.errors import read_error, without_numbers

Query = Mapping[str, Any]


class Host:
    """One host, in one project.

    Everything raises `NotFound` for what isn't there, `ReadRefused` for any other refusal, in the API's words
    without phone numbers, and `ReadFailed` where no answer came; what is done once only then says so.
    """

    def __init__(self, client: Callable[[], Client], project: str, region: str) -> None:
        """`project`: what every path begins with."""
        self._client = client
        self._project = project
        self._region = region

    def get(self, *path: str, query: Query | None = None) -> dict[str, Any]:
        """Read one thing."""
        return self._said(self._client().repeatable("GET", self._path(path, query)))

    def change(
        self, method: str, *path: str, body: Mapping[str, Any] | None = None, query: Query | None = None
    ) -> dict[str, Any]:
        """Change or delete one thing, which does no more when it is done twice."""
        content = None if body is None else to_json(body)
        return self._said(self._client().repeatable(method, self._path(path, query), content))

    def ask(self, *path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post a question, which changes nothing."""
        return self.change("POST", *path, body=body)

    def post(self, *path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make one thing, once."""
        try:
            answer = self._client().post_once(self._path(path, None), to_json(body))
        except AnswerLost as error:
            raise ReadFailed(f"{error} Whether it was done is not known: look before you do it again.") from error
        if answer.status == 429:
            raise Throttled(
                "The API has too many requests of this project just now; wait a moment.",
                retry_after_seconds=answer.retry_after_seconds(datetime.now(UTC)),
            )
        if answer.status >= 500:
            raise ReadFailed(
                f"The API answered HTTP {answer.status}. Whether it was done is not known: look before you do it again."
            )
        return self._said(answer)

    def pages(
        self, *path: str, entries: str, query: Query | None = None, size: int | None = None, limit: Pages
    ) -> Iterator[Any]:
        """Every entry of a list, page by page as they are used; the size is checked at once."""
        return self._follow(path, entries, {**(query or {}), "page_size": page_size(size, limit)})

    def _follow(self, path: Sequence[str], entries: str, query: Query) -> Iterator[Any]:
        token = ""
        while True:
            said = self.get(*path, query={**query, **({"page_token": token} if token else {})})
            yield from entries_of(said, entries)
            token, before = next_token(said), token
            if not token:
                return
            if token == before:
                raise ReadFailed(
                    "The API names the same page as the next one again; the list can't be read to its end."
                )

    def _path(self, parts: Sequence[str], query: Query | None) -> str:
        path = "/".join((self._project, *(quote(part, safe=":") for part in parts)))
        asked = [(name, word) for name, value in (query or {}).items() for word in _words(value)]
        return f"{path}?{urlencode(asked)}" if asked else path

    def _said(self, answer: Answer) -> dict[str, Any]:
        if answer.status >= 300:
            raise self._refusal(answer)
        said = answer.json()
        if isinstance(said, list):
            return {"": said}
        return said if isinstance(said, dict) else {}

    def _refusal(self, answer: Answer) -> ConnectorError:
        error = read_error(answer.body)
        code = f" {without_numbers(error.code)}" if error.code else ""
        words = f": {without_numbers(error.text)}" if error.text else "."
        said = f"The API answered HTTP {answer.status}{code}{words}"
        match answer.status:
            case 401:
                advice = "Check key_id and key_secret of this integration."
            case 403:
                advice = (
                    "The access key may not do this: check that it belongs to the project, and that there is credit."
                )
            case 404:
                advice = (
                    f"There is no such thing in the region {self._region}: check the id, and whether project and app "
                    "live in another region."
                )
                return NotFound(f"{said} {advice}")
            case _:
                advice = ""
        return ReadRefused(f"{said} {advice}".rstrip(), http_status=answer.status)


def entries_of(said: Mapping[str, Any], name: str) -> list[Any]:
    """The entries of one page. Raises `ReadFailed`."""
    entries = said.get(name)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ReadFailed(f"The API's list of {name} can't be read.")
    return entries


def next_token(said: Mapping[str, Any]) -> str:
    """What names the next page; empty: there is none."""
    token = said.get("next_page_token")
    return token if isinstance(token, str) else ""


def api_time(at: datetime) -> str:
    """A time as the API takes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def _words(value: Any) -> list[str]:
    match value:
        case None:
            return []
        case bool():
            return ["true" if value else "false"]
        case datetime():
            return [api_time(value)]
        case list() | tuple():
            return [word for each in value for word in _words(each)]
    return [str(value)]
