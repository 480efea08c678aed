"""exporter.settings.linear_pattern: a pattern takes no time that grows faster than the text."""

import pytest

from exporter.settings.linear_pattern import LinearPattern

BACKTRACKING = [
    r"(a+)+$",
    r"(a|a)*b",
    r"(?:a|aa)+b",
    r"([a-z]+)*\d!",
    r"(.*)*=x",
    r".*.*.*.*.*=1$",
    r"^(\w+\s?)*$z",
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_a_pattern_on_which_others_backtrack_for_ever_answers(pattern: str) -> None:
    assert not LinearPattern(pattern).found_in("a" * 30_000 + "!")


@pytest.mark.parametrize(
    "pattern", ["", "x*", "a|", ".", ".*", ".+", r"\w", r"\S+", "[a-z]", "(?i)[A-Z]", "^", "$", "(?s)."]
)
def test_a_pattern_that_describes_no_program_is_known(pattern: str) -> None:
    assert LinearPattern(pattern).matches_all


@pytest.mark.parametrize(
    "pattern", ["ollama serve", "llm-router .*8080$", "^python3 -m litellm", "vllm|sglang", "bash"]
)
def test_a_pattern_that_describes_a_program_is_none_of_these(pattern: str) -> None:
    assert not LinearPattern(pattern).matches_all


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "unclosed group"),
        ("*x", "repetition operator missing expression"),
        ("(?=x)y", "look-around"),
        (r"(a)\1", "backreferences"),
        ("a{1000}{1000}{10}", "exceeds size limit"),
        ("x" * 501, "at most 500 characters"),
    ],
)
def test_what_is_no_such_pattern_is_refused_in_one_line(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        LinearPattern(pattern)
    assert str(refused.value).isprintable()
