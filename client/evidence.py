"""Keys and signed lines."""

from client.base import Asking


class EvidenceCalls(Asking):
    """Keys and signed lines."""

    async def evidence_key(self) -> str:
        """The controller's public key of evidence, as PEM."""
        return (await self.send("GET", "/evidence/key")).text

    async def evidence_heads(self) -> str:
        """The controller's signed lines: newest head of each chain, then all hourly roots."""
        return (await self.send("GET", "/evidence/heads.jsonl")).text
