"""What was felt of each fault, in figures: how late work came, and how long it was silent. Pure.

Beside the checker's verdict, which knows only bounds that hold or not.
"""

import checker as base
from cluster import checker

SECOND = 1_000_000


def lateness(record, due):
    """(instant, lateness) of the first request of all that had to come, in microseconds."""
    return sorted((instant, request["t_us"] - instant)
                  for (job, instant), request in checker.first_requests(record).items()
                  if (job, instant) in due.must)


def silences(arrivals, begin, end):
    """The longest time without an arrival that lies, in part, between the two instants."""
    ordered = sorted(arrivals)
    return max((after - before for before, after in zip(ordered, ordered[1:])
                if after > begin and before < end), default=0)


def of_fault(fault, late, arrivals):
    """`late`: as lateness() says. Of what was due from the fault's begin until all should be well
    again; `after_s`: how long after the fault's end what was due before it came."""
    until = max(end for _, end in fault.disturbed())
    within = [(instant, value) for instant, value in late if fault.t0 <= instant <= until]
    values = [value for _, value in within]
    owed = [instant + value - fault.t1 for instant, value in within if instant < fault.t1]
    punctual = sum(value <= SECOND for value in values)
    felt = {"kind": fault.kind, "scope": list(fault.scope), "due": len(values),
            "silence_s": round(silences(arrivals, fault.t0, until) / SECOND, 2),
            "after_s": round(max([0, *owed]) / SECOND, 2)}
    if values:
        felt["late_p99_s"] = round(base.percentile(values, 0.99) / SECOND, 3)
        felt["late_max_s"] = round(max(values) / SECOND, 3)
        felt["punctual"] = round(punctual / len(values), 4)
    return felt


def of_record(record):
    """A list, one for each fault in order."""
    due = checker.due_of(record)
    record, _ = checker.named(record, due, checker.Calm(record.faults))
    late = lateness(record, due)
    arrivals = [request["t_us"] for request in record.requests]
    return [of_fault(fault, late, arrivals)
            for fault in sorted(record.faults, key=lambda fault: fault.t0)]


def worst(felt, name):
    """The greatest of a figure over the faults; 0 where none was felt."""
    return max((one[name] for one in felt if name in one), default=0)


def pooled_p99_s(folders):
    """The 99th percentile of lateness of all that was due during a fault, over several records."""
    values = []
    for folder in folders:
        record = checker.read(folder)
        due = checker.due_of(record)
        record, _ = checker.named(record, due, checker.Calm(record.faults))
        for instant, value in lateness(record, due):
            if any(fault.t0 <= instant <= fault.t0 + (fault.lateness or 0)
                   for fault in record.faults):
                values.append(value)
    return round(base.percentile(values, 0.99) / SECOND, 3) if values else 0.0
