"""What Bloomreach answers to a batch of events.

Source: the Engagement API reference's pages "Batch commands", "Tracking API error messages" and "Tracking API
authorization errors".
"""

from typing import Any

from connector.http import Answer
from connector.model.errors import NotTaken, SinkStopped

NOT_AUTHORIZED = "not authorized"
"""How the sentence begins for an event type that the key may not track."""
CREDENTIALS = ("could not authenticate", "invalid project id")


class Invalid(Exception):
    """The request as a whole was refused for what is in it."""


def refusals(answer: Answer, commands: int) -> list[str | None]:
    """Of each command of a batch, why it was refused; None: it was taken.

    Raises `Invalid` where the whole request was refused for what is in it, `SinkStopped` for credentials and
    addresses, `NotTaken` for an answer that says nothing of the kind.
    """
    said = answer.json()
    words = _words(said)
    if answer.status != 200:
        raise _refused(answer.status, words)
    if not isinstance(said, dict):
        raise NotTaken("Bloomreach answered something that is not JSON.")
    if said.get("success") is False:
        raise Invalid(words)
    results = said.get("results")
    if not isinstance(results, list) or len(results) != commands:
        raise NotTaken("Bloomreach answered without a result for each event.")
    found = [None if isinstance(each, dict) and each.get("success") is True else _words(each) for each in results]
    if all(reason is not None and reason.lower().startswith(NOT_AUTHORIZED) for reason in found):
        # All events have one type: it is the key's permission that is missing.
        raise SinkStopped(
            f"Bloomreach refused the event type: {found[0]}. Allow it to the API group, or mend event_type."
        )
    return found


def _refused(status: int, words: str) -> Exception:
    if status == 400 and any(sentence in words.lower() for sentence in CREDENTIALS):
        return SinkStopped(f"Bloomreach doesn't know the project ({words}): check base_url and project_token.")
    if status in (401, 403):
        return SinkStopped(f"Bloomreach refused the credentials (HTTP {status}: {words}): check the API key or token.")
    if status == 404 or status < 400:
        return SinkStopped(f"Bloomreach takes no events at this address (HTTP {status}): check base_url.")
    return Invalid(words)


def _words(said: Any) -> str:
    """What an answer says is wrong: `errors` (a list, or lists by field), `error` or `message`."""
    if not isinstance(said, dict):
        return "no reason was given"
    sentences: list[Any] = []
    errors = said.get("errors")
    for part in errors.values() if isinstance(errors, dict) else [errors]:
        sentences += part if isinstance(part, list) else [part]
    sentences += [said.get("error"), said.get("message")]
    return " ".join(each for each in sentences if isinstance(each, str) and each) or "no reason was given"
