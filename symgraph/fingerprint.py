"""Names for contents: BLAKE2, 32 bytes, as ``hashlib`` has it.

Taken from where ``hashlib`` takes it: importing ``hashlib`` loads OpenSSL, which costs 3 to 6 ms.
"""

from __future__ import annotations

from collections.abc import Iterable

try:
    from _blake2 import blake2b
except ImportError:  # a Python that keeps it elsewhere
    from hashlib import blake2b

NBYTES = 32


def fingerprint(*parts: bytes) -> bytes:
    """The digest of parts, one after the other."""
    digest = blake2b(digest_size=NBYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()


def named(texts: Iterable[str]) -> str:
    """The digest of texts in hexadecimal digits; where one ends and the next begins counts."""
    return fingerprint("\0".join(texts).encode()).hex()
