"""What kombu does with a broker, changed before it connects to one: import this first.

kombu remembers which class it has taken for a scheme, so a later change would have no effect.
"""

from __future__ import annotations

from typing import NoReturn

from kombu import Connection as Connection, compression
from kombu.transport import TRANSPORT_ALIASES


class _CompressedError(Exception):
    """A message has a header that asks for decompression."""


def _refuse(body: object) -> NoReturn:
    raise _CompressedError("it is compressed")


# kombu decompresses a body as soon as it is received, without a limit, by a header that anyone can write
# (kombu.message.Message.__init__). It has no switch for that; a decoder that fails leaves the body as it is.
for _encoding in compression.encoders():
    compression.register(compression.get_encoder(_encoding)[0], _refuse, _encoding)

TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "jira_ci_delivery_celery.redis_transport:Transport")
