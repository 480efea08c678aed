"""What becomes of a connection on which nothing comes for long: an idle one, and streams that are silent.

A router, or what stands before it, closes both after a time of its own. A client that keeps connections for
longer sends into a closed one now and then; a model that thinks for longer loses its answer.
"""

from collections.abc import Iterator, Sequence

from exporter.live.long_seen import HeldSeen, IdleSeen, LongSeen
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim
from exporter.verdict.scraped import is_scraped, not_told
from exporter.verdict.streams import ENGINE, without_streams
from exporter.verdict.unit import shown

MIN_IDLE_SECONDS = 60.0
"""for which clients and load balancers commonly keep a connection that is idle"""
NOT_HELD = Said("no silent stream was held (--hold-model)", "無音のストリームは保持していない (--hold-model)")


def judge_idle(evidence: Evidence) -> Finding:
    """The router keeps an idle connection for 60 s, and cuts no stream that is silent."""
    seen = evidence.long_seen
    if is_scraped(evidence) and evidence.engine in ("", ENGINE):
        return not_told("idle")
    if seen is None or (seen.idle is None and not seen.held):
        return _unseen(evidence)
    cut = [each for each in seen.held if not each.survived]
    problems = [*_idle_problem(seen.idle), *_held_problem(seen.held, cut)]
    if problems:
        seconds = min([each.after_seconds for each in cut] or [seen.idle.seconds if seen.idle else 0.0])
        known = joined([*problems, *_held_well(seen.held)])
        return Finding("idle", Outcome.FAIL, known, seconds, unit="seconds")
    said = joined([*_idle_well(seen.idle), *(_held_well(seen.held) or [_not_held(seen)])])
    if not seen.held and not _is_long(seen):
        length = f"{evidence.planned_seconds:.0f}"
        return Finding(
            "idle", Outcome.NOT_JUDGED, said, short=Said(f"{length} s of load", f"負荷 {length} 秒")
        )
    return Finding("idle", Outcome.PASS, said)


def _unseen(evidence: Evidence) -> Finding:
    if evidence.engine not in ("", ENGINE):
        return without_streams("idle", evidence)
    if evidence.so_far:
        said = Said("judged at the end", "終了時に判定")
    else:
        said = Said("no idle connection was watched", "アイドル接続は観測していない")
    return Finding("idle", Outcome.NOT_JUDGED, said)


def _not_held(seen: LongSeen) -> Said:
    return NOT_HELD if seen.not_held is None else NOT_HELD + verbatim(f": {seen.not_held}")


def _is_long(seen: LongSeen) -> bool:
    return seen.idle is not None and seen.idle.seconds >= MIN_IDLE_SECONDS


def _idle_problem(idle: IdleSeen | None) -> Iterator[Said]:
    """A connection that was reset, or closed before the time for which others keep it."""
    if idle is None or idle.ended_by != "router":
        return
    if idle.how == "rst" or idle.seconds < MIN_IDLE_SECONDS:
        seconds, how = shown(idle.seconds, "seconds"), how_text(idle.how)
        yield Said(
            f"the router cut an idle connection after {seconds} ({how}): a client that keeps it for longer "
            "sends into a closed one",
            f"ルーターがアイドル接続を {seconds} で切断 ({how})。それより長く保つと送信に失敗する",
        )


def _idle_well(idle: IdleSeen | None) -> Iterator[Said]:
    if idle is None:
        return
    seconds = shown(idle.seconds, "seconds")
    if idle.ended_by == "router":
        how = how_text(idle.how)
        yield Said(
            f"the router closed an idle connection after {seconds} ({how})",
            f"ルーターがアイドル接続を {seconds} で閉じた ({how})",
        )
    else:
        yield Said(f"an idle connection stayed open for {seconds}", f"アイドル接続は {seconds} の間維持")


def _held_problem(held: Sequence[HeldSeen], cut: Sequence[HeldSeen]) -> Iterator[Said]:
    if not cut:
        return
    first = min(cut, key=lambda each: each.silence_seconds)
    silence, after = shown(first.silence_seconds, "seconds"), shown(first.after_seconds, "seconds")
    how = how_text(first.how)
    yield Said(
        f"a stream that was to be silent for {silence} was cut after {after} ({how}), "
        f"{len(cut)} of {len(held)}",
        f"無音 {silence} のストリームが {after} で切断 ({how})、{len(held)} 件中 {len(cut)} 件",
    )


def how_text(how: str | None) -> str:
    """How something ended: `FIN`, `RST`, or in a word."""
    return {"fin": "FIN", "rst": "RST", "error": "an error in the stream"}.get(how or "", how or "not known")


def _held_well(held: Sequence[HeldSeen]) -> list[Said]:
    survived = [each for each in held if each.survived]
    if not held:
        return []
    if not survived:
        return [Said("no silence was survived", "無音に耐えたストリームなし")]
    longest = max(survived, key=lambda each: each.silence_seconds)
    silence = shown(longest.silence_seconds, "seconds")
    beats = sum(each.heartbeats for each in held)
    heard = (
        Said(f", {beats:,} heartbeats came", f"、ハートビート {beats:,} 回")
        if beats
        else Said(", without heartbeats", "、ハートビートなし")
    )
    return [Said(f"the longest silence that survived was {silence}", f"耐えた最長の無音 {silence}") + heard]
