"""What bench/next_bench asks, asked of croniter: the next instant after one of 4,096 random ones
from 2000 to 2050. Arguments: pairs of expression and zone. Prints a line for each: expression, zone
and the median of seven runs in nanoseconds, parted by tabs."""

import datetime
import random
import statistics
import sys
import time
import zoneinfo

import croniter

RUNS = 7
CALLS = 1000


def instants(zone):
    utc = datetime.timezone.utc
    first = int(datetime.datetime(2000, 1, 1, tzinfo=utc).timestamp())
    last = int(datetime.datetime(2050, 1, 1, tzinfo=utc).timestamp())
    chance = random.Random(42)
    return [datetime.datetime.fromtimestamp(chance.randrange(first, last), zone)
            for _ in range(4096)]


def measure(expression, zone):
    starts = instants(zone)
    schedule = croniter.croniter(expression, starts[0], ret_type=float)
    took = []
    for _ in range(RUNS):
        begun = time.perf_counter_ns()
        for call in range(CALLS):
            schedule.set_current(starts[call], force=True)
            schedule.get_next()
        took.append((time.perf_counter_ns() - begun) / CALLS)
    return statistics.median(took)


def main():
    for expression, name in zip(sys.argv[1::2], sys.argv[2::2]):
        print(f"{expression}\t{name}\t{measure(expression, zoneinfo.ZoneInfo(name)):.1f}")


if __name__ == "__main__":
    main()
