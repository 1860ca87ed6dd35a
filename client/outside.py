"""Acting from outside: talk, texts, calls, emergency entry, listening."""

from client.base import FORBIDDEN, Asking, RefusedError, part
from contracts.api.outside import (
    CallBody,
    CallReason,
    CallView,
    EntryBody,
    EntryView,
    ListenBody,
    ListeningGiven,
    OutsideView,
    TalkBody,
    TalkGiven,
    TalkSound,
    TextBody,
    TextView,
)

NOT_FOUND = 404  # a controller that is older than this


class OutsideCalls(Asking):
    """Acting from outside: talk, texts, calls, emergency entry, listening."""

    async def outside(self) -> OutsideView:
        """What goes on between the outside and the rooms; empty where it is nobody's business."""
        try:
            return await self.ask(OutsideView, "GET", "/outside")
        except RefusedError as error:
            if error.problem.status in {FORBIDDEN, NOT_FOUND}:
                return OutsideView()
            raise

    async def call_supervisor(self, room_id: str, reason: CallReason) -> CallView:
        """Call the supervisor from a room."""
        body = CallBody(reason=reason)
        return await self.ask(CallView, "POST", f"/rooms/{part(room_id)}/calls", body)

    async def answer_call(self, call_id: str) -> CallView:
        """Say that one sees to a call."""
        return await self.ask(CallView, "POST", f"/calls/{part(call_id)}/answer")

    async def end_call(self, call_id: str) -> CallView:
        """Say that a call is settled, or withdraw it."""
        return await self.ask(CallView, "POST", f"/calls/{part(call_id)}/end")

    async def write_text(self, room_id: str, body: TextBody, idempotency_key: str) -> TextView:
        """Write to a room's tablet; the same key is the same text, so it may be sent again."""
        headers = {"Idempotency-Key": idempotency_key}
        return await self.ask(TextView, "POST", f"/rooms/{part(room_id)}/texts", body, headers)

    async def read_text(self, text_id: str) -> TextView:
        """Say that somebody in the room has read a text."""
        return await self.ask(TextView, "POST", f"/texts/{part(text_id)}/read")

    async def talk(self, room_id: str, body: TalkBody) -> TalkGiven:
        """Ask to talk into a room: where a browser sends its microphone."""
        return await self.ask(TalkGiven, "POST", f"/rooms/{part(room_id)}/talks", body)

    async def talk_sound(self, talk_id: str) -> TalkSound:
        """Where a browser hears what was said into a room."""
        return await self.ask(TalkSound, "GET", f"/talks/{part(talk_id)}/sound")

    async def ask_entry(self, room_id: str, body: EntryBody, idempotency_key: str) -> EntryView:
        """Ask for an emergency entry; the same key is the same asking."""
        headers = {"Idempotency-Key": idempotency_key}
        return await self.ask(EntryView, "POST", f"/rooms/{part(room_id)}/entries", body, headers)

    async def judge_entry(self, entry_id: str, *, approves: bool) -> EntryView:
        """Approve or refuse an emergency entry."""
        verb = "approve" if approves else "refuse"
        return await self.ask(EntryView, "POST", f"/entries/{part(entry_id)}/{verb}")

    async def end_entry(self, entry_id: str) -> EntryView:
        """Say that everybody who went in is out again."""
        return await self.ask(EntryView, "POST", f"/entries/{part(entry_id)}/end")

    async def listen(self, room_id: str, body: ListenBody) -> ListeningGiven:
        """Hear a room live; renew it before its ticket ends."""
        return await self.ask(ListeningGiven, "POST", f"/rooms/{part(room_id)}/listenings", body)

    async def renew_listening(self, listening_id: str) -> ListeningGiven:
        """A new ticket for a listening that goes on."""
        return await self.ask(ListeningGiven, "POST", f"/listenings/{part(listening_id)}/renew")

    async def stop_listening(self, listening_id: str) -> None:
        """Stop hearing a room."""
        await self.send("DELETE", f"/listenings/{part(listening_id)}")
