from sending_kit import CAMPAIGN, Host, Posted, agrees, closes, people


def test_the_intent_is_durable_before_the_request_leaves(host: Host) -> None:
    """When the provider gets the request, the ledger shows who is being sent to, and until when."""
    plan = host.plan()
    connector = host.connector(plan)
    seen = []

    def look(posted: Posted) -> None:
        (batch,) = [row for row in host.batches() if row["key"] == posted.content["client_reference"]]
        (attempt,) = [row for row in host.attempts() if row["batch"] == batch["number"]]
        seen.append((batch["state"], batch["attempts"], attempt["number"], attempt["ended"]))
        assert attempt["sent_at"] < attempt["deadline"] == batch["deadline"]

    plan.when_posted = look
    dispatch = connector.send(CAMPAIGN, people(1500))
    assert seen == [("sending", 1, 1, None)] * 2
    assert plan.account()["accepted_once"] == 1500
    report = dispatch.report()
    assert (report.state, report.enqueued) == ("finished", 1500)
    assert closes(report) and agrees(connector)
