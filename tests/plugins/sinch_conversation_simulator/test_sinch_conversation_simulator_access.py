from collections.abc import Callable

import httpx
import pytest
from connector_sinch.conversation.simulator import SIMULATOR
from project_client import ANNA, Project, on, refusal
from pydantic import ValidationError

Projects = Callable[..., Project]


def token_of(project: Project) -> str:
    options = project.options
    answer = httpx.post(
        f"{project.http.base_url}/oauth2/token",
        auth=(options.key_id, options.key_secret),
        data={"grant_type": "client_credentials"},
    )
    assert answer.status_code == 200
    return str(answer.json()["access_token"])


def with_token(project: Project, token: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{project.http.base_url}/v1/projects/{project.options.project_id}/apps", headers=headers)


def test_an_access_token_opens_every_host(project: Projects) -> None:
    project = project()
    assert with_token(project, token_of(project)).status_code == 200
    headers = {"authorization": f"Bearer {token_of(project)}"}
    path = f"{project.http.base_url}/v2/projects/{project.options.project_id}/templates"
    assert httpx.get(path, headers=headers).json() == {"templates": []}


def test_an_invented_token_is_refused_without_a_word_of_expiry(project: Projects) -> None:
    answer = with_token(project(), "invented")
    assert refusal(answer) == (401, "UNAUTHENTICATED")
    assert "expired" not in answer.headers["www-authenticate"]


def test_an_expired_token_is_refused_as_expired(project: Projects) -> None:
    project = project(token_life_seconds=0.001)
    token = token_of(project)
    answer = with_token(project, token)
    while answer.status_code == 200:
        answer = with_token(project, token)
    assert "expired" in answer.headers["www-authenticate"]
    assert answer.json()["title"] == "Token expired"


def test_a_wrong_password_opens_nothing(project: Projects) -> None:
    project = project()
    answer = httpx.get(f"{project.http.base_url}/v1/projects/simulated-project/apps", auth=("simulated-key", "wrong"))
    assert refusal(answer) == (401, "UNAUTHENTICATED")


def test_another_project_is_forbidden(project: Projects) -> None:
    answer = project().http.get("/v1/projects/another/apps")
    assert refusal(answer) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("path", ["apps/01J00000000000000000000APP", "apps/01J00000000000000000000APP/webhooks"])
def test_an_app_is_not_found_on_the_hosts_of_another_region(project: Projects, path: str) -> None:
    project = project(region="eu", asked_region="us")
    assert refusal(project.call("GET", path)) == (404, "NOT_FOUND")
    assert refusal(project.call("POST", "messages:send", project.a_message())) == (404, "NOT_FOUND")
    assert project.get("apps") == {"apps": []}


def test_an_app_is_found_on_the_hosts_of_its_region(project: Projects) -> None:
    assert project(region="us", asked_region="us").send()


def test_an_unknown_app_is_not_found_and_one_that_is_no_ulid_is_malformed(project: Projects) -> None:
    project = project()
    unknown, malformed = "01J00000000000000000000000", "my-app"
    for path, request in (("messages:send", project.a_message()), ("messages", project.a_batch())):
        assert refusal(project.call("POST", path, {**request, "app_id": unknown})) == (404, "NOT_FOUND")
        assert refusal(project.call("POST", path, {**request, "app_id": malformed})) == (400, "INVALID_ARGUMENT")


def test_more_requests_than_a_project_may_make_are_told_to_wait(project: Projects) -> None:
    project = project(requests_per_second=1)
    answers = [project.call("GET", "apps") for _ in range(20)]
    assert refusal(next(each for each in answers if each.status_code == 429)) == (429, "RESOURCE_EXHAUSTED")


def test_what_the_simulator_does_not_know_is_not_found(project: Projects) -> None:
    project = project()
    assert refusal(project.call("GET", "pigeons")) == (404, "NOT_FOUND")
    assert project.call("PUT", "apps").status_code == 405


def test_an_app_id_in_the_options_must_be_a_ulid() -> None:
    with pytest.raises(ValidationError, match="ULID"):
        SIMULATOR.Options(app_id="my-app")


def test_reset_forgets_all_but_the_app_of_the_options(project: Projects) -> None:
    project = project(processing_mode="CONVERSATION")
    project.send()
    project.made(
        "contacts", {"channel_identities": on("77", "RCS")["identified_by"]["channel_identities"], "language": "EN"}
    )
    assert project.http.post("/_simulator/reset").status_code == 200
    assert project.get("contacts")["contacts"] == []
    assert project.account()["numbers"] == 0
    assert [app["id"] for app in project.get("apps")["apps"]] == [project.app_id]
    assert project.send(recipient=on(ANNA, "SMS"))
