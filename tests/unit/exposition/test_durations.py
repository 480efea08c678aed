"""/api/runs/ID/durations: how long the 2xx of a run took so far, bucket by bucket."""

import pytest

from exporter.live.histogram import BUCKETS, Histogram, bucket_of
from exporter.live.message import Phase
from exporter.live.run_durations import RunDurations, StreamTime
from tests.support.live_messages import RUN, answered, message, register
from tests.support.served_exporter import Served, serve_app, serve_exporter

server = pytest.fixture(scope="module")(serve_app)
served = pytest.fixture(serve_exporter)


def test_the_whole_histogram_of_the_successes_is_answered(served: Served) -> None:
    register(served.runs)
    served.runs.apply(answered({"2xx": [100, 100, 3_000_000], "5xx": [7]}))
    found = RunDurations.from_json(served.get(f"/api/runs/{RUN}/durations").content)
    assert (found.run, found.counts) == (RUN, ((bucket_of(100), 2), (bucket_of(3_000_000), 1)))
    register(served.runs, Phase.FINISHED)
    assert RunDurations.from_json(served.get(f"/api/runs/{RUN}/durations").content) == found


def test_those_of_streams_are_answered_by_their_name(served: Served) -> None:
    register(served.runs)
    counts = {Histogram.FIRST_TOKEN * BUCKETS + bucket_of(100): 2, Histogram.CHUNK_GAP * BUCKETS + 7: 3}
    served.runs.apply(message(counts))
    found = RunDurations.from_json(served.get(f"/api/runs/{RUN}/durations").content)
    assert found.streams == {
        StreamTime.FIRST_TOKEN: ((bucket_of(100), 2),),
        StreamTime.CHUNK_GAP: ((7, 3),),
    }
    assert found.counts == ()


def test_a_run_that_is_not_known_has_none(served: Served) -> None:
    assert served.get(f"/api/runs/{RUN}/durations").status_code == 404


@pytest.mark.parametrize(
    "counts", ["[[5,1],[4,1]]", "[[5,1],[5,1]]", "[[-1,1]]", "[[1,0]]", "[[1,1,1]]", '{"1":1}']
)
def test_what_are_no_durations_is_refused(counts: str) -> None:
    text = RunDurations(run=RUN, counts=()).to_json().replace(b"[]", counts.encode())
    with pytest.raises(ValueError, match="counts"):
        RunDurations.from_json(text)
