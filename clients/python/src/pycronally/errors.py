"""What is raised when no answer comes.

An answer that refuses (401, 404, …) is an answer: `request()` returns it and raises nothing.
Each class is also the one of Python's own that fits, so that code which catches OSError or
ValueError goes on working.
"""


class CronallyError(Exception):
    """Everything that this package raises."""


class UsageError(CronallyError, ValueError):
    """The request cannot be made: a key, an id or CRONALLY_HOST is missing or malformed.

    Nothing was sent.
    """


class NetworkError(CronallyError, OSError):
    """The server was not reached, or the connection broke before its answer was complete.

    A request that changes something may have been carried out all the same: list before adding again.
    """


class RequestTimeout(NetworkError, TimeoutError):
    """The server, or a proxy before it, let more time pass than the time-out allows."""


class BadAnswer(CronallyError, ValueError):
    """Something answered, but not with JSON, as Cronally's API v1 always does.

    Usually a proxy or another program at that address. `status` is the HTTP status of it.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
