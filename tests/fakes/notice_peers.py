"""Two peers of notices on loopback, true to their protocols: a webhook and a mail server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage


@dataclass
class Webhook:
    """Takes JSON by POST. ``answers`` are its next statuses; after them 200."""

    url: str = ""
    got: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, then the connection ends."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        body = await reader.readexactly(length)
        status = self.answers.pop(0) if self.answers else 200
        self.requests.append(head)
        if status == 200:
            self.got.append(json.loads(body))
        text = f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(text.encode())
        await writer.drain()
        writer.close()
        self.came.set()


@dataclass
class Mailbox:
    """An SMTP server without encryption: EHLO, AUTH, MAIL, RCPT, DATA, QUIT (RFC 5321)."""

    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        writer.write(b"220 localhost ESMTP\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"EHLO":
                writer.write(b"250-localhost\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n")
            elif word == b"AUTH":
                writer.write(b"235 you are\r\n")
            elif word == b"DATA":
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                text = data[:-5].replace(b"\r\n..", b"\r\n.").decode()
                self.got.append(message_from_string(text, policy=policy.default))
                writer.write(b"250 kept\r\n")
                self.came.set()
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                if word == b"RCPT":
                    self.to.append(line.decode().strip())
                writer.write(b"250 yes\r\n")
            await writer.drain()
        writer.close()


@asynccontextmanager
async def peers() -> AsyncIterator[tuple[Webhook, Mailbox]]:
    """Both, on ports of their own."""
    hook, box = Webhook(), Mailbox()
    web = await asyncio.start_server(hook.serve, "127.0.0.1", 0)
    mail = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    hook.url = f"127.0.0.1:{web.sockets[0].getsockname()[1]}"
    box.port = mail.sockets[0].getsockname()[1]
    async with web, mail:
        yield hook, box
