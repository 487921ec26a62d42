"""Local times of a campaign in its time zone, also on the days when the clocks change."""

from datetime import UTC, datetime

import pytest

from connector.config.load import check_campaign
from connector.model.errors import CampaignError

RIGHT = {"name": "spring", "message": {"text": "Hi"}, "time_zone": "Europe/Stockholm"}


@pytest.mark.parametrize(
    ("zone", "local", "moment"),
    [
        ("Europe/Stockholm", "2026-12-01T09:00:00", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("Europe/Stockholm", "2026-07-01T09:00:00", datetime(2026, 7, 1, 7, tzinfo=UTC)),
        ("America/New_York", "2026-03-08T03:00:00", datetime(2026, 3, 8, 7, tzinfo=UTC)),
        ("America/New_York", "2026-11-01T02:00:00", datetime(2026, 11, 1, 7, tzinfo=UTC)),
        ("Asia/Kolkata", "2026-12-01 09:00", datetime(2026, 12, 1, 3, 30, tzinfo=UTC)),
        ("UTC", "2026-12-01T09:00:00", datetime(2026, 12, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_local(zone: str, local: str, moment: datetime) -> None:
    campaign = check_campaign({**RIGHT, "time_zone": zone, "send_at": local})
    assert campaign.send_at == moment
    assert campaign.time_zone == zone


def test_a_toml_local_time_and_a_host_s_naive_one_are_local_too() -> None:
    naive = datetime(2026, 12, 1, 9)  # noqa: DTZ001
    assert check_campaign({**RIGHT, "expire_at": naive}).expire_at == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_an_offset_comes_first() -> None:
    campaign = check_campaign({**RIGHT, "send_at": "2026-12-01T09:00:00-05:00"})
    assert campaign.send_at == datetime(2026, 12, 1, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"send_at": "2026-03-29T02:30:00"}, "send_at: 2026-03-29 02:30 doesn't exist in Europe/Stockholm"),
        (
            {"send_at": "2026-10-25T02:30:00"},
            "send_at: 2026-10-25 02:30 comes twice on that day in Europe/Stockholm, as the clocks go back; "
            "give 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00.",
        ),
        ({"time_zone": "Europe/Stockholn"}, 'time_zone: Found "Europe/Stockholn"'),
        ({"time_zone": "Europe/Stockholn"}, "Europe/Stockholm"),
        ({"time_zone": 7}, "time_zone: Found 7"),
        ({"send_at": "tomorrow"}, 'send_at: Found "tomorrow"'),
        (
            {"send_at": "2026-12-01T12:00:00", "expire_at": "2026-12-01T11:00:00"},
            "expire_at: This is not after send_at",
        ),
    ],
)
def test_what_is_no_moment_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(CampaignError) as raised:
        check_campaign({**RIGHT, **change})
    assert words in str(raised.value)


def test_without_a_zone_a_local_time_is_refused_naming_both_ways() -> None:
    with pytest.raises(CampaignError, match="time_zone"):
        check_campaign({"name": "spring", "message": {"text": "Hi"}, "send_at": "2026-12-01T09:00:00"})
