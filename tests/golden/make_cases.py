#!/usr/bin/env python3
"""Writes cases.tsv: which questions the other implementations are asked.

Columns: expression, zone, from (RFC 3339, UTC), how many fires. No package is needed."""

PLAIN = [
    "* * * * *", "*/5 * * * *", "5/15 * * * *", "0 9 * * 1-5", "0 9 * * MON-FRI", "0 0 * * 7",
    "0 0 * * 0", "0 0 1 * *", "0 0 31 * *", "0 0 30 * *", "0 0 29 2 *", "0 0 29 2 1",
    "0 0 13 * 5", "0 0 13 * FRI", "0 0 */2 * 1", "0 0 1-7 * */7", "0 0 */5 * *", "0 0 * * */2",
    "0 0 1 * *", "0 12 1,15 * *", "15 10,14 * * MON-FRI", "0,30 8-18/2 * * *", "59 23 31 12 *",
    "0 0 1 1 *", "0 4 8-14 * *", "0 0 1 */3 *", "0 0 1 JAN,JUL *", "10-40/5 * * * *",
    "23 0-20/2 * * *", "0 22 * * 1-5", "5 4 * * sun", "0 0 L * *", "0 0 * * 5L", "0 0 * * 1#1",
    "0 0 * * MON#2", "0 0 * * 3#5", "0 0 15W * *", "0 0 1W * *", "0 0 LW * *", "0 0 31 1-7 *",
    "0 0 L 2 *", "0 0 L 2 1", "30 6 * 6-8 1-5", "*/40 * * * *", "* * 29 2 *", "0 0 1-7 * 1",
    "0 0 */3 * 1-5", "0 0 ? * 1", "0 0 15 * ?",
    "*/10 * * * * *", "0 */5 * * * *", "30 15 10 * * *", "5/20 0 12 * * 1", "59 59 23 * * *",
    "0 0 0 29 2 * 2000-2199/4", "0 0 12 1 1 * 2030", "0 0 0 1 6 * 2021-2025",
]
PLAIN_FROM = ["2021-01-01T00:00:00Z", "2024-02-28T23:59:59Z", "2095-12-31T12:34:56Z"]

CLOCK_CHANGE = [
    "0 3 * * *", "15 3 * * *", "30 1,2,3,4,5 * * *", "0 1-5 * * *", "0 * * * *", "*/30 * * * *",
    "5 */1 * * *", "0 */3 * * *", "*/7 3 * * *", "0 0 * * *", "30 0 * * *", "30 2 * * *",
    "15 1 * * *", "45 1-2 * * *", "0 2 * * *", "0 0 * * 0", "*/20 1-3 * * *", "59 23 * * *",
]
AROUND = {
    "Europe/Riga": ["2021-03-27T12:00:00Z", "2021-10-30T12:00:00Z"],
    "America/New_York": ["2021-03-13T17:00:00Z", "2021-11-06T16:00:00Z"],
    "Australia/Lord_Howe": ["2021-04-03T02:00:00Z", "2021-10-02T02:00:00Z"],
    "Antarctica/Troll": ["2021-03-27T12:00:00Z", "2021-10-30T12:00:00Z"],
    "Africa/Casablanca": ["2021-04-10T12:00:00Z", "2021-05-15T12:00:00Z"],
    "Europe/Dublin": ["2021-03-27T12:00:00Z", "2021-10-30T12:00:00Z"],
    "Pacific/Apia": ["2011-12-28T22:00:00Z"],
    "America/Sao_Paulo": ["2018-02-17T14:00:00Z", "2018-11-03T15:00:00Z"],
    "Asia/Beirut": ["2021-03-27T10:00:00Z", "2021-10-30T09:00:00Z"],
    "Africa/Cairo": ["2014-05-15T10:00:00Z", "2014-09-25T10:00:00Z"],
    "America/Asuncion": ["2021-03-27T15:00:00Z", "2021-10-02T16:00:00Z"],
    "America/Santiago": ["2021-04-03T15:00:00Z", "2021-09-04T16:00:00Z"],
    "Pacific/Kwajalein": ["1993-08-20T00:00:00Z"],
}


def main():
    with open("cases.tsv", "w", encoding="ascii") as out:
        for expression in dict.fromkeys(PLAIN):
            for start in PLAIN_FROM:
                print(expression, "UTC", start, 8, sep="\t", file=out)
        for zone, starts in AROUND.items():
            for expression in CLOCK_CHANGE:
                for start in starts:
                    print(expression, zone, start, 10, sep="\t", file=out)


main()
