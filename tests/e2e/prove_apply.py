"""apply, measured: 10,000 jobs from a file, the same again, and what a kill in the middle leaves.

    prove_apply.py [--only POINT ...]
"""

import sys
import time

import proving
from client import Client
from processes import Server
from test_apply import all_jobs, many, schedules, start_apply

COUNT = 10_000
KILLS = 5


def timed(server, *arguments):
    """The seconds that a verb took, and what it printed; it must succeed."""
    begun = time.monotonic()
    done = server.run_command(*arguments)
    took = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    return took, done.stdout


def prove_apply_speed(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    try:
        file = folder / "jobs.yaml"
        file.write_text(many(COUNT))
        took, said = timed(server, "apply", "-f", str(file))
        created = f"{COUNT} created" in said
        table.add("apply of 10,000 jobs", "<= 5 s, all created",
                  f"{took:.2f} s, {'all' if created else 'NOT all'} created", took <= 5 and created)
        again = [timed(server, "apply", "-f", str(file)) for _ in range(3)]
        took = sorted(seconds for seconds, _ in again)[1]
        still = all(f"0 created, 0 changed, 0 removed, {COUNT} unchanged" in said
                    for _, said in again)
        table.add("apply of the same file again, median of 3", "<= 2 s, 0 changes",
                  f"{took:.2f} s, {'0' if still else 'SOME'} changes", took <= 2 and still)
    finally:
        server.kill()


def prove_apply_killed(table, folder, given):
    """kill -9 of the server at another moment of an apply each time, then apply again."""
    server = Server(folder, "--log-level", "warning").start()
    file = folder / "jobs.yaml"
    hit = whole = right = 0
    try:
        for number in range(KILLS):
            schedule = f"{number} 9 * * *"
            file.write_text(many(COUNT, schedule))
            process = start_apply(server, file)
            client = Client(server, checks=False)
            mark = f"/v2/jobs/many-{number * 1000}"
            while process.poll() is None and (client.send("GET", mark).json.get("schedule")
                                              != schedule):
                time.sleep(0.001)
            client.close()
            server.kill()
            process.communicate(timeout=60)
            server.start()
            client = Client(server, checks=False)
            done = sum(1 for value in schedules(all_jobs(client)).values() if value == schedule)
            hit += 0 < done < COUNT
            whole += done % 1000 == 0
            timed(server, "apply", "-f", str(file))
            wanted = {f"many-{index}": schedule for index in range(COUNT)}
            right += schedules(all_jobs(client)) == wanted
            client.close()
        table.add("server killed -9 in the middle of an apply", f"{KILLS} of {KILLS}",
                  f"{hit} of {KILLS}", hit == KILLS)
        table.add("then: each list of 1,000 whole or not there", f"{KILLS} of {KILLS}",
                  f"{whole} of {KILLS}", whole == KILLS)
        table.add("applied again: the declared state", f"{KILLS} of {KILLS}",
                  f"{right} of {KILLS}", right == KILLS)
    finally:
        server.kill()


POINTS = {"apply-speed": prove_apply_speed, "apply-killed": prove_apply_killed}


def main():
    given = proving.parser(POINTS, __doc__.split("\n", 1)[0]).parse_args()
    return proving.prove(POINTS, given)


if __name__ == "__main__":
    sys.exit(main())
