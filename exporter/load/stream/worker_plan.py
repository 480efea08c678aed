"""What a worker process is told, and what it leaves: both go through its pipes, so no secret is elsewhere."""

from dataclasses import dataclass, field

from exporter.load.stream.account import Account
from exporter.load.stream.shape import StreamShape

READY = b"ready\n"
"""what it writes once it has its plan and can begin; then it reads when"""


@dataclass(frozen=True)
class Limits:
    """What ends an attempt, and a load."""

    clients: int
    max_requests: int | None
    stall_after_seconds: float


@dataclass(frozen=True)
class WorkerPlan:
    """The load of one worker."""

    token: bytes = field(repr=False)
    target: str
    """scheme, host and port"""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    shape: StreamShape
    place: int
    """among the workers of this load, from 0"""
    worker: int
    """its number in live messages"""
    limits: Limits
    duration_seconds: int
    ingest_host: str
    ingest_port: int


@dataclass(frozen=True)
class WorkerResult:
    """What it leaves."""

    account: Account
    clients: int
    duration_seconds: float
    datagrams: tuple[bytes, ...] = field(repr=False)
    """its last report"""
