"""What Bloomreach answers to a batch of events, and to who asks for its time.

Source: the Engagement API reference's pages "Batch commands", "System time", "Tracking API error messages" and
"Tracking API authorization errors".
"""

from typing import Any

from connector.http import Answer
from connector.model.errors import NotTaken, SinkStopped

NOT_AUTHORIZED = "not authorized"
"""How the sentence begins for an event type that the key may not track."""
CREDENTIALS = ("could not authenticate", "invalid project id")
NO_REASON = "no reason was given"


class Invalid(Exception):
    """The request as a whole was refused for what is in it."""


class Refused(SinkStopped):
    """A person has to look at something first."""

    def __init__(self, about: str, message: str) -> None:
        self.about = about
        """Of the settings: `address`, `project` or `credentials`."""
        super().__init__(message)


def refusals(answer: Answer, commands: int) -> list[str | None]:
    """Of each command of a batch, why it was refused; None: it was taken.

    Raises `Invalid` where the whole request was refused for what is in it, `Refused` for credentials, addresses
    and whatever else a person has to look at, `NotTaken` for an answer that says nothing of the kind.
    """
    said = answer.json()
    words = _words(said)
    if answer.status != 200:
        raise _refused(answer.status, words)
    if not isinstance(said, dict):
        raise NotTaken("Bloomreach answered something that is not JSON.")
    if said.get("success") is False:
        raise _stopped_for_the_project(words) or Invalid(words)
    results = said.get("results")
    if not isinstance(results, list) or len(results) != commands:
        raise NotTaken("Bloomreach answered without a result for each event.")
    return [None if isinstance(each, dict) and each.get("success") is True else _words(each) for each in results]


def proof(answer: Answer) -> str:
    """What the answer to a request for the server's time proves of the settings, as a sentence.

    Raises `Refused` where it proves that they are wrong.
    """
    said = answer.json()
    words = _words(said)
    if answer.status != 200:
        error = _refused(answer.status, words)
        raise error if isinstance(error, Refused) else Refused("address", f"Bloomreach refused the request ({error}).")
    told = said if isinstance(said, dict) else {}
    if told.get("success") is False:
        raise _stopped_for_the_project(words) or Refused("address", f"Bloomreach refused the request ({words}).")
    if told.get("success") is not True or not isinstance(told.get("time"), int | float):
        raise Refused(
            "address", "Something answers there, but not as Bloomreach does, which tells its time: check base_url."
        )
    return "Bloomreach answers for this project."


def forbids_the_event_type(reason: str | None) -> bool:
    """Whether a command was refused because the key may not track events of its type: then it may track none."""
    return reason is not None and reason.lower().startswith(NOT_AUTHORIZED)


def _refused(status: int, words: str) -> Exception:
    stopped = _stopped_for_the_project(words) if status == 400 else None
    if stopped is not None:
        return stopped
    if status in (401, 403):
        return Refused(
            "credentials", f"Bloomreach refused the credentials (HTTP {status}: {words}): check the API key or token."
        )
    if status == 404 or status < 400:
        return Refused("address", f"Bloomreach takes no events at this address (HTTP {status}): check base_url.")
    if status in (413, 422) or (status == 400 and words != NO_REASON):
        return Invalid(f"HTTP {status}: {words}")
    # Also what a proxy on the way answers, which knows nothing of events.
    return Refused(
        "address",
        f"Bloomreach, or something on the way to it, refused the request (HTTP {status}: {words}): check base_url, "
        "and any proxy.",
    )


def _stopped_for_the_project(words: str) -> Refused | None:
    if any(sentence in words.lower() for sentence in CREDENTIALS):
        return Refused("project", f"Bloomreach doesn't know the project ({words}): check base_url and project_token.")
    return None


def _words(said: Any) -> str:
    """What an answer says is wrong: `errors` (a list, or lists by field), `error` or `message`."""
    if not isinstance(said, dict):
        return NO_REASON
    sentences: list[Any] = []
    errors = said.get("errors")
    for part in errors.values() if isinstance(errors, dict) else [errors]:
        sentences += part if isinstance(part, list) else [part]
    sentences += [said.get("error"), said.get("message")]
    return " ".join(each for each in sentences if isinstance(each, str) and each) or NO_REASON
