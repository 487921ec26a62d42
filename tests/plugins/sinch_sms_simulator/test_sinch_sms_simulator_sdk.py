from connector_sinch.sms.simulator import SIMULATOR
from plan_client import ANNA, BERT
from sinch import SinchClient

from connector.simulator import running


def test_the_official_sdk_takes_it_for_the_api() -> None:
    options = SIMULATOR.Options(outcomes={"Delivered:0": 1}, endings={BERT[-4:]: "Failed:150"})
    client = SinchClient(service_plan_id=options.service_plan_id, sms_api_token=options.api_token, sms_region="eu")
    with running(SIMULATOR, options) as base_url:
        client.configuration.sms_domain_with_service_plan_id = base_url
        batch = client.sms.batches.send(
            to=[f"+{ANNA}", f"+{BERT}"],
            from_="+12015550100",
            body="Hi ${name}",
            parameters={"name": {f"+{ANNA}": "Anna", "default": "you"}},
            client_reference="order-7",
        )
        assert [found.id for found in client.sms.batches.list(client_reference="order-7").iterator()] == [batch.id]
        while len(finished := client.sms.delivery_reports.list(client_reference="order-7").content()) < 2:
            pass
        assert {report.recipient: (report.status, report.code) for report in finished} == {
            ANNA: ("Delivered", 0),
            BERT: ("Failed", 150),
        }
        full = client.sms.delivery_reports.get(batch_id=batch.id, report_type="full")
        assert {status.code: status.recipients for status in full.statuses} == {0: [ANNA], 150: [BERT]}
        one = client.sms.delivery_reports.get_for_number(batch_id=batch.id, recipient=BERT)
        assert one.code == 150
        assert client.sms.batches.cancel(batch_id=batch.id).canceled is False
        client.configuration.transport.http_session.close()
