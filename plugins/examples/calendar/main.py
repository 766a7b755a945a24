"""Draws a month, and counts down to a moment: components, one that stands and one that lives."""

import asyncio
import calendar
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any

from rich.panel import Panel
from rich.table import Table

from astros.ui import UIPlugin


class Calendar(UIPlugin):
    """Draws the days of a month, and how long it is until something."""

    name = "calendar"
    version = "1.0.0"

    def get_ui_components(self) -> dict[str, Any]:
        return {"month": self.month, "countdown": self.countdown}

    def month(self, year: int = 0, month: int = 0, first_weekday: int = 0) -> Table:
        """Draw the days of a month, this one where none is named; `first_weekday` is 6 for Sunday."""
        today = date.today()
        year, month = year or today.year, month or today.month
        weeks = calendar.Calendar(first_weekday)
        table = Table(title=f"{calendar.month_name[month]} {year}")
        for day in weeks.iterweekdays():
            table.add_column(calendar.day_abbr[day], justify="right")
        for week in weeks.monthdatescalendar(year, month):
            table.add_row(*(str(day.day) if day.month == month else "" for day in week))
        return table

    async def countdown(self, until: datetime, what: str = "it") -> AsyncIterator[Panel]:
        """Draw how long it is until a moment, second by second."""
        while (left := (until - datetime.now(until.tzinfo)).total_seconds()) > 0:
            hours, rest = divmod(int(left), 3600)
            yield Panel(f"{hours}:{rest // 60:02}:{rest % 60:02}", title=f"until {what}")
            await asyncio.sleep(min(left, 1))
        yield Panel("now", title=what)
