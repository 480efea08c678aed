"""What a request for inference asks for: the answer, token by token."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """An inference endpoint, by its path."""

    CHAT = "/v1/chat/completions"
    TEXT = "/v1/completions"
    MESSAGES = "/v1/messages"
    RESPONSES = "/v1/responses"
    EMBEDDING = "/v1/embeddings"


class Part(Enum):
    """What a token is part of."""

    REASONING = "reasoning"
    CONTENT = "content"
    ARGUMENTS = "arguments"
    """of a tool call"""


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens that one event carries."""

    part: Part
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer as it was asked for, a token a string."""

    model: str
    stream: bool
    choices: int
    prompt_tokens: int
    reasoning: tuple[str, ...]
    words: tuple[str, ...]
    """the content, or the arguments of the tool call"""
    tool: str | None
    """the function that the answer calls"""
    cut: bool
    """whether the limit on its tokens cuts it short"""
    usage_wanted: bool
    silence_seconds: float
    """between the first token and the end"""

    @property
    def output_tokens(self) -> int:
        """Of all choices together, reasoning included."""
        return self.choices * (len(self.reasoning) + len(self.words))

    def pieces(self, tokens_per_event: int) -> list[Piece]:
        """The answer in the pieces in which it is sent; no piece is of two parts."""
        part = Part.CONTENT if self.tool is None else Part.ARGUMENTS
        return [
            Piece(part, "".join(tokens), len(tokens))
            for part, words in ((Part.REASONING, self.reasoning), (part, self.words))
            for start in range(0, len(words), tokens_per_event)
            if (tokens := words[start : start + tokens_per_event])
        ]
