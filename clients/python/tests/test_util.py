"""Signatures, by the vectors of the API's documentation."""

import base64

import pytest

from pycronally import UsageError, util

SECRET = "h/Be+K0LvQxanvcabBL5Pjg3HL8g7CekNkG090he6rk="
ABC = base64.b64encode(b"abc")
JOB = "/cronjob/37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e"
VECTORS = [
    ("/account/GET200601021504", SECRET, "cZB+B8398Tv7rxdnYzVNxzF9fs54B5hPmFFWwWP8Oqc="),
    ("/cronjob/POST200601021504", SECRET, "NeSsgnFeUdGYbErJTgSgaebOZ9xM4PKJ7aqC8i8+OQg="),
    ("/cronjobs/GET200601021504", SECRET, "pVFaw/5tngooq89ZUtKe8Z+GeVjc48lbm79p7J6gwfw="),
    (JOB + "/DELETE200601021504", SECRET, "PrwqmIVCVSo3uy70ElMMkCZlSvdPUjM8vypttGSAIV0="),
    (JOB + "PATCH200601021504", SECRET, "JMBjY2uEN+kwopMcjTIWv/Bhf4Iranjhi0m5+QbE6LA="),
    ("/account/GET200601021504", ABC, "LMAuiZvdBOqdTpWkpTrixeIQ0uWleg3eDPq3mBNDm+c="),
]


@pytest.mark.parametrize("text,secret,signature", VECTORS)
def test_the_vectors_are_signed_and_verified(text, secret, signature):
    assert util.sign(text, secret) == signature
    assert util.sign(text.encode(), secret) == signature
    assert util.verify(text, secret, signature) is True
    assert util.verify(text, secret, signature.encode()) is True


@pytest.mark.parametrize("text,secret,signature", VECTORS)
def test_whatever_else_is_no_signature_of_them(text, secret, signature):
    assert util.verify(text + " ", secret, signature) is False
    assert util.verify(text, base64.b64encode(b"another"), signature) is False
    for i in range(len(signature) - 1):
        changed = signature[:i] + ("A" if signature[i] != "A" else "B") + signature[i + 1:]
        assert util.verify(text, secret, changed) is False
    assert util.verify(text, secret, "") is False


def test_a_secret_that_is_not_base64_is_named_as_such_and_not_shown():
    with pytest.raises(UsageError) as refused:
        util.sign("x", "not base64!")
    assert "not base64!" not in str(refused.value)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize("a,b,same", [
    ("abc", "abc", True), (b"abc", "abc", True), ("", b"", True), ("\u00e9", b"\xc3\xa9", True),
    ("abc", "abd", False), ("abc", "ab", False), ("", "a", False), ("\u00e9", "e", False)])
def test_comparing(a, b, same):
    assert util.ct_compare(a, b) is same
    assert util.ct_compare(b, a) is same
