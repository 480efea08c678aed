"""exporter.live.probe_result: each result has words of its own, in both languages."""

import pytest

from exporter.live.probe_result import ProbeResult, result_of_status


def test_each_result_has_a_sentence_of_its_own() -> None:
    sentences = [result.sentences(1.5) for result in ProbeResult]
    for language in zip(*sentences, strict=True):
        assert len(set(language)) == len(ProbeResult)


def test_a_time_out_says_how_long_it_was() -> None:
    assert ProbeResult.TIMEOUT.sentences(40.0) == ("no answer within 40 s", "40 秒以内に応答なし")


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, "answered"), (404, "answered"), (499, "answered"), (500, "http_500"), (501, "http_5xx")],
)
def test_a_status_below_500_is_an_answer(status: int, result: str) -> None:
    assert result_of_status(status) == result
