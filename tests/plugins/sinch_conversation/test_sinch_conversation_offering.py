"""Making an app by the wizard: what is asked for each channel is what the simulated API takes as its credential."""

import pytest
from connector_sinch.conversation.provider import SinchConversation
from connector_sinch.conversation.simulator import SIMULATOR
from sinch_conversation_kit import secret

from connector.http import Http
from connector.model.errors import ReadFailed
from connector.simulator import running


def test_an_app_with_every_channel_that_can_be_asked_for() -> None:
    options = SIMULATOR.Options()
    http = Http()
    with running(SIMULATOR, options) as base_url:
        settings = {**SIMULATOR.settings(base_url, options), "key_secret": secret(options.key_secret)}
        del settings["provider"], settings["webhook_secret"]
        try:
            offer = SinchConversation.offer("app_id", settings, http)
            assert offer.new is not None
            answers: dict[str, str] = {}
            asked = []
            while (wanted := offer.new(answers)) is not None:
                asked.append(wanted)
                # The last of what is left, so that the order is another one than that of the table.
                answers[wanted.key] = wanted.choices[-1].value if wanted.choices else f"of {wanted.title}"
            made = SinchConversation.make("app_id", answers, settings, http)
            choices = {each.value: each.label for each in SinchConversation.offer("app_id", settings, http).choices}
        finally:
            http.close()
    channels = [answers[each.key] for each in asked if each.choices]
    assert channels[-1] == ""
    assert len(set(channels[:-1])) == len(channels) - 1 >= 10
    assert choices[made] == f"of Name of the app: DISPATCH; {', '.join(f'{each} ACTIVE' for each in channels[:-1])}"
    assert {each.title for each in asked if not each.secret and not each.choices} == {
        "Name of the app",
        "Service plan ID",
        "RCS sender ID",
        "WhatsApp sender ID",
        "Viber service ID",
        "Business account ID",
        "WeChat app ID",
        "Plus friend ID",
    }


@pytest.mark.parametrize("given", [{"auth_url"}, {"auth_url", "base_url"}], ids=len)
def test_who_uses_a_simulator_is_told_how_to_begin_at_its_address(given: set[str]) -> None:
    options = SIMULATOR.Options()
    http = Http()
    with running(SIMULATOR, options) as base_url:
        settings = {**SIMULATOR.settings(base_url, options), "key_secret": secret("another-secret")}
        for key in {"provider", "webhook_secret", "auth_url", "base_url"} - given:
            del settings[key]
        try:
            with pytest.raises(ReadFailed) as raised:
                SinchConversation.offer("app_id", settings, http)
        finally:
            http.close()
    command = "start again with: connector setup sinch-conversation --set base_url=ADDRESS --set auth_url=ADDRESS"
    assert (command in str(raised.value)) == ("base_url" not in given)
