"""Local times of a campaign: what `time_zone` makes of a time that is written without an offset."""

from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from connector.config.messages import Wrong, shown, unknown_name

TIMES = ("send_at", "expire_at")


def with_offsets(document: Any) -> tuple[Any, list[Wrong]]:
    """The same campaign with its local times in UTC's terms, and what is wrong with them.

    A time that the clocks skip, or show twice, on that day in that zone is no moment: it is refused.
    """
    if not isinstance(document, dict):
        return document, []
    name = document.get("time_zone")
    if name is None:
        return document, [
            Wrong(
                (key,),
                f"Found {shown(document[key])}, a local time; give its offset from UTC, such as "
                f"{local.isoformat()}+01:00, or Z for UTC, or name its time_zone.",
            )
            for key in TIMES
            if (local := _local(document.get(key))) is not None
        ]
    if not isinstance(name, str):
        return document, []
    if name not in available_timezones():
        examples = [zone for zone in sorted(available_timezones()) if "/" in zone]
        sentence = unknown_name(name, examples, "time zone").partition("; known:")[0]
        return document, [
            Wrong(("time_zone",), f"{sentence.rstrip('.')}. Give a name such as Europe/Stockholm or America/New_York.")
        ]
    zone = ZoneInfo(name)
    found, wrong = dict(document), []
    for key in TIMES:
        local = _local(document.get(key))
        if local is None:
            continue
        moments = _moments(local, zone)
        if len(moments) == 1:
            found[key] = moments[0].isoformat()
            continue
        # Whatever else is checked needs a time with an offset.
        found[key] = local.replace(tzinfo=UTC).isoformat()
        at = local.isoformat(sep=" ", timespec="minutes")
        if moments:
            either = " or ".join(moment.isoformat() for moment in moments)
            wrong.append(
                Wrong((key,), f"{at} comes twice on that day in {name}, as the clocks go back; give {either}.")
            )
        else:
            wrong.append(Wrong((key,), f"{at} doesn't exist in {name}: the clocks go forward then; give a later time."))
    return found, wrong


def _local(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is not None else moment


def _moments(local: datetime, zone: tzinfo) -> list[datetime]:
    """The moments at which the clocks of a zone show a time: one, none where it is skipped, two where it repeats."""
    both = [local.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    shown = [moment for moment in both if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local]
    return shown if len({moment.utcoffset() for moment in shown}) == 2 else shown[:1]
