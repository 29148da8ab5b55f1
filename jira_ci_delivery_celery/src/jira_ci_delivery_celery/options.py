"""The settings of steps that publish and of workers that deliver."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from jira_ci_core import (
    InvalidValueError,
    Names,
    NoCredentialsError,
    PluginSettings,
    Problem,
    Secret,
    check_address,
    setting,
)

MIN_KEY_LENGTH = 16
SCHEMES = ("amqp", "amqps", "redis", "rediss")


def _check_addresses(url: SecretStr) -> SecretStr:
    for address in _addresses(url):
        scheme, separator, rest = address.partition("://")
        if scheme not in SCHEMES or not separator or not rest:
            raise InvalidValueError(
                "it is not an address of RabbitMQ or Redis",
                "write amqp://user:password@host/vhost, amqps://…, redis://:password@host/0 or rediss://…",
            )
        check_address(address, with_path=True)
    return url


def _check_with_kombu(url: SecretStr) -> SecretStr:
    """Have kombu and the client of the broker read the addresses, as they do to connect, but connect to none."""
    for address in _addresses(url):
        try:
            _read(address)
        except Exception:  # they raise errors of many kinds, some with a part of the address in them
            raise InvalidValueError(
                "the client of the broker refuses its database, its vhost or an option behind the `?`; "
                "it is not shown, since it may hold a password",
                "write amqp://user:password@host:5672/vhost or redis://:password@host:6379/0, and behind a `?` only "
                "what kombu knows, such as heartbeat=60; BROKER_CA names certificate authorities",
            ) from None
    return url


def _addresses(url: SecretStr) -> list[str]:
    """One address, or several, to be tried one after the other.

    https://docs.celeryq.dev/projects/kombu/en/stable/userguide/failover.html
    """
    return url.get_secret_value().split(";")


def _read(address: str) -> None:
    """Raise an error of any kind unless an address and its options can be used. Connects to nothing.

    https://docs.celeryq.dev/projects/kombu/en/stable/userguide/connections.html
    """
    from ssl import CERT_REQUIRED

    # Takes long, and only steps that use the queue need it.
    from jira_ci_delivery_celery.transports import Connection

    is_redis = address.startswith("redis")
    # Without options of TLS kombu warns of a rediss:// address; where it connects they are always given.
    with Connection(address, ssl={"ssl_cert_reqs": CERT_REQUIRED} if is_redis else None) as connection:
        if is_redis:
            from redis import ConnectionPool

            channel = object.__new__(connection.transport.Channel)  # its __init__ connects
            channel.connection = connection.transport
            ConnectionPool(**channel._connparams()).make_connection()
            return
        from amqp.serialization import dumps

        # kombu hands these on as they stand there, and py-amqp fails at them, or checks no certificate.
        if connection.ssl or isinstance(connection.connect_timeout, str):
            raise ValueError
        # What it would send once it is connected (amqp.connection, `_on_tune` and `_on_tune_sent`).
        dumps("Bs", [connection.heartbeat, connection.virtual_host])
        connection.transport.Connection(login_method=connection.login_method)


def _check_key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < MIN_KEY_LENGTH:
        raise InvalidValueError(
            f"the key is too short to be safe: fewer than {MIN_KEY_LENGTH} characters",
            "make one with: openssl rand -hex 32",
        )
    return key


def _split_waits(value: object) -> object:
    return [word for word in re.split(r"[\s,|]+", value.strip()) if word] if isinstance(value, str) else value


QueueUrl = Annotated[Secret, AfterValidator(_check_addresses)]
BrokerUrl = Annotated[QueueUrl, AfterValidator(_check_with_kombu)]
Key = Annotated[Secret, AfterValidator(_check_key)]
Wait = Annotated[float, Field(gt=0, le=7 * 86400)]
Waits = Annotated[tuple[Wait, ...], BeforeValidator(_split_waits), Field(min_length=1, max_length=20)]


class Options(PluginSettings):
    broker_url: BrokerUrl | None = setting(None, help="the broker: amqp://, amqps://, redis:// or rediss://")
    broker_ca: str | None = setting(
        None, help="a file of certificate authorities to trust for the broker, instead of the system's"
    )
    queue_key: Key | None = setting(None, help="the key that steps sign with and workers verify with; the same for all")
    queue_key_old: Key | None = setting(None, help="for workers: the key before, while steps are being changed over")
    queue_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] = setting(
        "jira-ci", help="what the names of the queues begin with"
    )
    queue_sites: Names = setting((), help="for workers of several sites: a TOML file of settings for each")
    queue_batch: Annotated[int, Field(ge=1, le=1000)] = setting(100, help="for workers: the most reports in one call")
    queue_batch_bytes: Annotated[int, Field(ge=1)] = setting(
        1_000_000, help="for workers: the most bytes of messages in one call"
    )
    queue_window: Annotated[float, Field(ge=0, le=60)] = setting(
        0.5, help="for workers: the seconds that a report waits for others to share its call"
    )
    queue_rate: str | None = setting(None, help="for workers: calls a site takes, such as 5/second or 300/minute")
    queue_limiter: QueueUrl | None = setting(
        None, help="for workers: the Redis that shares QUEUE_RATE among them; BROKER_URL, if that is one"
    )
    queue_backoff: Waits = setting(
        (10, 60, 300, 900, 3600, 21600), help="for workers: the seconds before each further try; the last one repeats"
    )
    queue_give_up: Annotated[float, Field(gt=0)] = setting(
        3 * 86400, help="for workers: the seconds after which a report that cannot be delivered is a dead letter"
    )
    queue_visibility: Annotated[float, Field(ge=1)] = setting(
        300, help="for workers on Redis: the seconds after which what a dead worker held is given to another"
    )
    queue_metrics: Annotated[str, Field(pattern=r"^[^:\s]+:[0-9]{1,5}$")] | None = setting(
        None, help="for workers: host:port to answer Prometheus at, such as 127.0.0.1:9808"
    )
    queue_log: Literal["text", "json"] = setting("text", help="for workers: text, or json for one object a line")

    @property
    def broker(self) -> str:
        """The broker's address with its password. Raises SettingsError if it is not set."""
        remedy = "set BROKER_URL, or another DELIVERY"
        return _required("BROKER_URL", self.broker_url, "reports are handed to it", remedy)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys that verify a message, the current one first. Raises SettingsError if it is not set."""
        remedy = "make one with `openssl rand -hex 32`, and set QUEUE_KEY to it for all steps and all workers"
        current = _required("QUEUE_KEY", self.queue_key, "messages are signed and verified with it", remedy)
        old = [self.queue_key_old.get_secret_value()] if self.queue_key_old else []
        return tuple(key.encode() for key in (current, *old))

    @property
    def limiter(self) -> str | None:
        """The address of the Redis through which workers share the rate limit, or None."""
        for url in (self.queue_limiter, self.broker_url):
            if url and url.get_secret_value().startswith("redis"):
                return _addresses(url)[0]
        return None


def _required(name: str, secret: SecretStr | None, why: str, remedy: str) -> str:
    if secret is None:
        raise NoCredentialsError(Problem(f"{name} is not set", why, remedy))
    return secret.get_secret_value()
