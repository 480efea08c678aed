"""The faults that can be commanded: one table of names and parameters, and which are in force."""

import random
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from exporter.simulator.answer import RefusedError


class Parameters(BaseModel):
    """Base of all parameters: frozen, unknown keys refused, no conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    one_of: ClassVar[tuple[str, ...]] = ()
    """exactly one of these has to be given"""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.one_of and len(self.model_fields_set.intersection(self.one_of)) != 1:
            raise ValueError(f"give exactly one of {', '.join(self.one_of)}")
        return self


class InferenceFault(Parameters):
    """A fault of single answers of the inference endpoints: it strikes a `ratio` of them, drawn by a seed."""

    ratio: Annotated[float, Field(gt=0, le=1)] = 1.0


Place = Literal["inference", "login", "other"]
"""which requests: for inference, for a token, any other"""


class AnswerFault(InferenceFault):
    """A fault of single answers.

    `scope`: only the inference endpoints, only the `login`, or `all` but the admin API.
    """

    scope: Literal["inference", "login", "all"] = "inference"


class BrokenStream(InferenceFault):
    """A fault in mid-stream, after so many tokens; without that half way."""

    after_tokens: Annotated[int, Field(ge=0)] | None = None


class LeakMemory(Parameters):
    """Memory grows by so much a second, or an inference request, up to a limit; ending it keeps it."""

    one_of = ("bytes_per_second", "bytes_per_request")
    bytes_per_second: PositiveInt = 0
    bytes_per_request: PositiveInt = 0
    limit_bytes: PositiveInt = 4 * 1024**3


class LeakFds(Parameters):
    """File descriptors grow by so many a second, or an inference request; ending it keeps what leaked.

    With a limit above what the process may open it accepts nothing more in the end, no admin client either:
    then, as with a real leak, only killing the worker helps.
    """

    one_of = ("per_second", "per_request")
    per_second: PositiveFloat = 0.0
    per_request: PositiveFloat = 0.0
    limit: PositiveInt = 100_000


class DropConnections(AnswerFault):
    """The connection is closed instead of an answer, politely (fin) or not (rst)."""

    mode: Literal["fin", "rst"] = "fin"


class ErrorAnswer(AnswerFault):
    """The answer is an error with this status, at once."""

    status: Annotated[int, Field(ge=400, le=599)] = 500


class Slow(AnswerFault):
    """Answers take `factor` times as long, or `add_seconds` longer (streams: to the first token)."""

    one_of = ("factor", "add_seconds")
    factor: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    add_seconds: Annotated[float, Field(gt=0, le=3600)] = 0.0


class Hang(AnswerFault):
    """There is no answer: the connection is dropped when the fault ends, or after `hang_seconds`."""


class Truncate(AnswerFault):
    """The answer's head is whole, its body or stream of events stops half way, and the connection closes."""


class TruncateCleanly(BrokenStream):
    """The stream ends as streams end, but without its finish and its usage; `done`: with [DONE] or not.

    After 0 tokens the stream is empty.
    """

    done: bool = True


class InBand(BrokenStream):
    """With status 200 an error comes as an event in place of the rest, or as the body of a plain answer."""


class StallStream(BrokenStream):
    """The stream goes silent, its connection open: dropped when the fault ends, or after `hang_seconds`."""


class Buffer(InferenceFault):
    """The stream is held back, its head included, and sent at once when it is whole."""


class IdleCut(Parameters):
    """A connection on which no byte passed for `after_seconds` is closed, politely (fin) or not (rst).

    Idle keep-alive connections and silent streams alike; never one on which the admin API was asked.
    """

    after_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    mode: Literal["fin", "rst"] = "fin"


class NodeOffline(Parameters):
    """Nodes get no more requests; those in flight there finish. Ending it brings them back."""

    node: str | tuple[str, ...]
    """a node's name, or several"""

    @property
    def names(self) -> frozenset[str]:
        """The nodes meant."""
        return frozenset((self.node,) if isinstance(self.node, str) else self.node)


class ExpireTokens(Parameters):
    """No token that a login gave until now is taken any more, as of a router with a new secret."""


class WriteRows(Parameters):
    """A file that is open for writing grows by so much an inference request, up to a limit.

    It has no name, so nothing of it is left at the end; ending the fault keeps it open.
    """

    bytes_per_request: PositiveInt = 1800
    limit_bytes: PositiveInt = 1024**3


class Restart(Parameters):
    """The process ends, its connections with it, and after `downtime_seconds` a new one listens."""

    downtime_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0


FAULTS: dict[str, type[Parameters]] = {
    "leak_memory": LeakMemory,
    "leak_fds": LeakFds,
    "drop_connections": DropConnections,
    "error": ErrorAnswer,
    "slow": Slow,
    "hang": Hang,
    "truncate": Truncate,
    "truncate_cleanly": TruncateCleanly,
    "in_band": InBand,
    "stall_stream": StallStream,
    "buffer": Buffer,
    "idle_cut": IdleCut,
    "node_offline": NodeOffline,
    "expire_tokens": ExpireTokens,
    "write_rows": WriteRows,
    "restart": Restart,
}

P = TypeVar("P", bound=Parameters)
A = TypeVar("A", bound=InferenceFault)


def parse_parameters(name: str, body: bytes) -> Parameters:
    """The parameters of the fault `name` from JSON; an empty body is `{}`.

    Raises RefusedError in one line, naming the key.
    """
    try:
        return FAULTS[name].model_validate_json(body or b"{}")
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in (name, *problem["loc"]))
        if problem["type"] == "extra_forbidden":
            known = ", ".join(FAULTS[name].model_fields) or "none"
            raise RefusedError(400, f"{key}: unknown parameter; known are: {known}") from error
        raise RefusedError(400, f"{key}: {problem['msg'].removeprefix('Value error, ')}") from error


@dataclass(slots=True)
class Active:
    """A fault in force: since when (Unix seconds), its own random draws, and how often it struck."""

    parameters: Parameters
    since: float
    rng: random.Random
    strikes: int = 0


class Faults:
    """Which faults are in force. The same seed and the same commands draw the same strikes."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._active: dict[type[Parameters], Active] = {}

    @property
    def none(self) -> bool:
        """Whether all is well."""
        return not self._active

    def begin(self, name: str, parameters: Parameters, now: float) -> None:
        """Put a fault in force, in place of its earlier parameters if there are any."""
        self._active[FAULTS[name]] = Active(parameters, now, random.Random(f"{self._seed}/{name}"))

    def end(self, name: str) -> None:
        """End a fault; ending what is not in force changes nothing."""
        self._active.pop(FAULTS[name], None)

    def get(self, kind: type[P]) -> P | None:
        """The parameters of a fault in force, else None."""
        active = self._active.get(kind)
        return None if active is None else cast(P, active.parameters)

    def struck(self, kind: type[A], place: Place = "inference") -> A | None:
        """The parameters of a fault of answers if it strikes this request, else None."""
        active = self._active.get(kind)
        if active is None:
            return None
        parameters = cast(A, active.parameters)
        scope = parameters.scope if isinstance(parameters, AnswerFault) else "inference"
        if scope not in (place, "all"):
            return None
        if parameters.ratio < 1 and active.rng.random() >= parameters.ratio:
            return None
        active.strikes += 1
        return parameters

    def strike(self, kind: type[Parameters]) -> None:
        """Count a strike of a fault that is in force and draws nothing."""
        self._active[kind].strikes += 1

    def document(self, name: str) -> dict[str, Any]:
        """The state of one fault as JSON has it."""
        active = self._active.get(FAULTS[name])
        if active is None:
            return {"active": False}
        parameters = active.parameters
        not_given = set(parameters.one_of) - parameters.model_fields_set
        return {
            "active": True,
            "parameters": parameters.model_dump(mode="json", exclude=not_given),
            "since": active.since,
            "strikes": active.strikes,
        }
