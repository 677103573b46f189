"""Client of Cronally, cron for clusters: the calls of its API v1.

>>> import pycronally.api
>>> status, answer = pycronally.api.ListCronjobs(key, secret).request()

`pycronally.api` has one class for each call, `pycronally.util` what signs them, and
`pycronally.errors` what is raised when no answer comes.
"""

from .errors import BadAnswer, CronallyError, NetworkError, RequestTimeout, UsageError

__version__ = "1.0.0"
__all__ = ["BadAnswer", "CronallyError", "NetworkError", "RequestTimeout", "UsageError",
           "__version__"]
