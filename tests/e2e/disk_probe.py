"""How long the disk lets a commit wait, measured beside a run by a bare loop of write and fdatasync.

An answer that came shortly before a kill -9 is not recorded yet: its commit waits for the one under
way, and then for itself. How long that takes is the disk's affair, so the judge asks the disk.
"""

import os
import threading
import time

BLOCK = b"\0" * 4096
FILE_MAX = 4 << 20  # about what a write-ahead log grows to
STEP_S = 0.005
LOOK_BACK_US = 1_000_000
COMMITS = 2  # the one under way, and the one that holds the answer


class DiskProbe:
    """Within its block, a thread that syncs a file in `folder` 200 times a second at most."""

    def __init__(self, folder):
        self.path = folder / "disk-probe"
        self.syncs = []  # (begin, end) in microseconds
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.path.unlink()

    def _run(self):
        file = os.open(self.path, os.O_CREAT | os.O_WRONLY)
        try:
            at = 0
            while not self.stop.wait(STEP_S):
                begin = time.time_ns() // 1000
                os.pwrite(file, BLOCK, at)
                os.fdatasync(file)
                self.syncs.append((begin, time.time_ns() // 1000))
                at = (at + len(BLOCK)) % FILE_MAX
        finally:
            os.close(file)

    def slowest(self, begin, end):
        """Microseconds of the longest sync that was under way between the two instants."""
        return max((to - since for since, to in self.syncs if since <= end and to >= begin),
                   default=0)

    def unrecorded(self, deaths):
        """As checker.Evidence has it: how long before each death an answer may have missed its commit,
        beyond what the judge allows on a disk that takes no time."""
        return [(death - COMMITS * self.slowest(death - LOOK_BACK_US, death), death, [])
                for death in deaths]
