"""exporter.run.matchers: what a user matches is read whole, and nothing of it gets into PromQL as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ConfigurationError
from exporter.run.matchers import MAX_MATCHERS, Matcher, matcher_of, matchers_of, selector


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('cluster="a"', 'cluster="a"'),
        (' cluster = "a" ', 'cluster="a"'),
        ("cluster!='a \"b\"'", r'cluster!="a \"b\""'),
        (r'instance=~"load-.*\\.lan:9877"', r'instance=~"load-.*\\.lan:9877"'),
        ('zone!~"a|b"', 'zone!~"a|b"'),
        ('name="ü"', 'name="ü"'),
    ],
)
def test_a_matcher_is_read_and_written_again(text: str, expected: str) -> None:
    assert matcher_of(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "up",
            "a=b",
            'a="b',
            'a=="b"',
            '1a="b"',
            'a="b","c"',
            'a="b"} or up{c="d"',
            '{a="b"}',
            'a="b"#',
        ),
        *('a="b\nc"', 'a="\x00"', '__name__="up"', 'a=~"("', r'a=~"x\.y"', 'ä="b"', f'a="{"x" * 501}"'),
    ],
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--match: "):
        matcher_of(text)


@given(st.text(max_size=60))
def test_whatever_is_given_is_refused_or_one_quoted_value(text: str) -> None:
    try:
        found = matcher_of(text)
    except ConfigurationError as error:
        assert "\n" not in str(error)
        return
    name, _, value = found.text.partition(found.sign)
    assert name.isidentifier()
    inside = value[1:-1].replace("\\\\", "").replace('\\"', "")
    assert (value[0], value[-1]) == ('"', '"')
    assert '"' not in inside
    assert "\n" not in value


def test_a_selector_is_made_of_matchers_and_labels() -> None:
    found = matchers_of("exporter", ['zone=~"a|b"'])
    assert selector("up", found, instance='x"} or y{') == (
        r'up{job="exporter",zone=~"a|b",instance="x\"} or y{"}'
    )
    assert selector("", []) == "{}"
    assert found[0] == Matcher("job", "=", "exporter")


def test_there_are_only_so_many() -> None:
    with pytest.raises(ConfigurationError, match="21 matchers; 20 at most"):
        matchers_of(None, ['a="b"'] * (MAX_MATCHERS + 1))
    with pytest.raises(ConfigurationError, match="--job: "):
        matchers_of("a\nb", [])
