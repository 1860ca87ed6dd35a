"""Decides what one act from outside does to the site: ``step`` and ``watch`` for core.site."""

from typing import assert_never

from controller.core import acts, calling, entries, outside, voices
from controller.core.acts import Result
from controller.core.outside import Call, Entry, Listening, OutsideInput, Talk, Text
from controller.core.sessions import HOLDS_ROOM
from controller.core.state import Now, SiteState


def step(  # noqa: C901, PLR0911, PLR0912  # one a kind
    site: SiteState, given: OutsideInput, now: Now
) -> Result:
    """Apply one input."""
    match given:
        case outside.CallRaised():
            return calling.raised(site, given, now)
        case outside.CallAnswered():
            return calling.answered(site, given, now)
        case outside.CallEnded():
            return calling.ended(site, given, now)
        case outside.TextSent():
            return calling.sent(site, given, now)
        case outside.TextRead():
            return calling.read(site, given, now)
        case outside.TalkAsked():
            return voices.talk_asked(site, given, now)
        case outside.VoiceCame():
            return voices.voice_came(site, given.told, now)
        case outside.EntryAsked():
            return entries.asked(site, given, now)
        case outside.EntryJudged():
            return entries.judged(site, given, now)
        case outside.EntryEnded():
            return entries.ended(site, given, now)
        case outside.ListenAsked():
            return voices.listen_asked(site, given, now)
        case outside.ListenRenewed():
            return voices.listen_renewed(site, given, now)
        case outside.ListenStopped():
            return voices.listen_stopped(site, given, now)
        case _:
            assert_never(given)


def watch(site: SiteState, now: Now) -> Result:
    """Look at the time: what rings again, lapses, is overdue, or whose session is over."""
    if all(one.ended for one in site.acts.values()):
        return site, ()
    site, over = _sessions_over(site, now)
    site, rung = calling.watch(site, now)
    site, silent = voices.watch(site, now)
    site, late = entries.watch(site, now)
    return site, (*over, *rung, *silent, *late)


def _sessions_over(site: SiteState, now: Now) -> Result:
    """What was for the people of a session ends with it; a talk ends by its node's word."""
    outputs: acts.Outputs = ()
    for act in tuple(site.acts.values()):
        session = site.sessions.get(act.session_id or "")
        if act.ended or session is None or session.state in HOLDS_ROOM:
            continue
        match act:
            case Call():
                site, told = calling.end(site, act, "controller", now)
            case Text():
                site, told = calling.withdrawn(site, act, now)
            case Entry():
                site, told = entries.end(site, act, "controller", now)
            case Listening():
                site, told = voices.listening_over(site, act, "session_over", now.utc_ms, now)
            case Talk():
                continue
        outputs += told
    return site, outputs
