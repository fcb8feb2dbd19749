"""When a schedule is due: cron expressions in a time zone.

As Debian's cron has it, a time that a clock change skips is due right after the change, and one that it repeats is due
once. An expression with `*` in its minutes or hours follows the clock instead.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


class InvalidSchedule(ValueError):
    """The text says what is wrong with a schedule, and what to write."""


@dataclass(frozen=True)
class Schedule:
    """A cron expression of five fields in a time zone of the IANA database.

    Raises:
        InvalidSchedule: for an expression that is none, that is never due, or an unknown zone.
    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if len(self.expression.split()) != 5:
            raise InvalidSchedule(f"{self.expression!r} has not five fields: write it like '30 6 * * 1-5'")
        try:
            tz = ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise InvalidSchedule(f"there is no time zone {self.zone!r}: write it like Europe/Berlin") from None
        try:
            next(CronSim(self.expression, datetime.now(tz)))
        except CronSimError as error:
            raise InvalidSchedule(f"{self.expression!r}: {error}. Write it like '30 6 * * 1-5'") from None
        except StopIteration:
            raise InvalidSchedule(f"{self.expression!r} is never due") from None

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment, in UTC; None if there is none within 50 years."""
        found = next(CronSim(self.expression, moment.astimezone(ZoneInfo(self.zone))), None)
        return found.astimezone(UTC) if found else None

    def due(self, *, since: datetime, now: datetime) -> datetime | None:
        """The newest time after `since` that has come; None if none has. Older ones that were missed are let be."""
        first = self.after(since)
        if first is None or first > now:
            return None
        newest = first
        # Back from now, in steps that grow: the newest one is after the last step that finds any.
        for back in (timedelta(hours=1), timedelta(days=2), timedelta(days=40), now - first):
            start = max(first, now - back)
            if start > first and (found := self.after(start)) is not None and found <= now:
                newest = found
                break
        while (following := self.after(newest)) is not None and following <= now:
            newest = following
        return newest
