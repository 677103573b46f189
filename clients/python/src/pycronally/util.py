"""The signature of API v1.

It is the HMAC-SHA256 of path, method and date in one text, with the decoded secret as its key:

>>> sign("/account/GET200601021504", "h/Be+K0LvQxanvcabBL5Pjg3HL8g7CekNkG090he6rk=")
'cZB+B8398Tv7rxdnYzVNxzF9fs54B5hPmFFWwWP8Oqc='
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Union

from .errors import UsageError

__all__ = ["ct_compare", "sign", "verify"]

Text = Union[str, bytes]


def _bytes(text: Text) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else bytes(text)


def ct_compare(a: Text, b: Text) -> bool:
    """Whether both are the same, in a time that does not tell where they differ.

    A text is the same as its bytes in UTF-8.
    """
    return hmac.compare_digest(_bytes(a), _bytes(b))


def sign(string: Text, b64key: Text) -> str:
    """The signature of a text, in base64.

    `b64key` is the API secret as it was given out, in base64; UsageError if it is not.
    """
    try:
        key = base64.b64decode(_bytes(b64key), validate=True)
    except binascii.Error:
        raise UsageError("the API secret is not base64; "
                         "give the text of api_secret as sign-up answered it") from None
    return base64.b64encode(hmac.new(key, _bytes(string), hashlib.sha256).digest()).decode("ascii")


def verify(string: Text, b64key: Text, b64sig: Text) -> bool:
    """Whether `b64sig` is the signature of the text, compared in constant time."""
    return ct_compare(sign(string, b64key), b64sig)
