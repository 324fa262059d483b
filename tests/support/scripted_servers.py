"""A mail server and a gateway that answer as a script says, over real sockets; what comes in is kept byte by byte."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

END = b"\r\n.\r\n"


@dataclass
class ScriptedMailServer:
    """SMTP (RFC 5321), one session after the other or many at once.

    `replies` has by command (`connect`, `ehlo`, `auth`, `mail`, `rcpt`, `data`, `text`, `rset`) the replies in turn,
    the last for ever. A transaction that was begun and neither ended nor taken back refuses the next `MAIL` with 503.
    """

    replies: Mapping[str, list[str]]
    extensions: tuple[str, ...] = ()
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    sessions: int = 0
    _said: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen; give the URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def _reply(self, command: str, otherwise: str) -> str:
        replies = self.replies.get(command) or [otherwise]
        turn = min(self._said[command], len(replies) - 1)
        self._said[command] += 1
        return replies[turn] or otherwise

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        is_begun = False

        async def say(line: str) -> bool:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()
            return not line.startswith(("421", "221"))

        goes_on = await say(self._reply("connect", "220 here"))
        while goes_on and (line := (await reader.readline()).decode().strip()):
            command = line.split()[0].lower().split(":")[0]
            self.commands.append(command)
            if command == "ehlo":
                reply = self._reply("ehlo", "250 HELP")
                for line in ("here", *self.extensions) if reply.startswith("250") else ():
                    await say(f"250-{line}")
                goes_on = await say(reply)
            elif command == "mail" and is_begun:
                goes_on = await say("503 5.5.1 nested MAIL")
            elif command == "data":
                reply = self._reply("data", "354 go on")
                goes_on = await say(reply)
                if reply.startswith("354"):
                    text = await reader.readuntil(END)
                    told = self._reply("text", "250 taken")
                    if told.startswith("250"):
                        self.mails.append(text.removesuffix(END[2:]).replace(b"\r\n..", b"\r\n."))
                        is_begun = False
                    goes_on = await say(told)
            else:
                usual = "221 bye" if command == "quit" else "235 yes" if command == "auth" else "250 yes"
                reply = self._reply(command, usual)
                if command == "mail" and reply.startswith("250"):
                    is_begun = True
                if command == "rset" and reply.startswith("250"):
                    is_begun = False
                goes_on = await say(reply)
        writer.close()


@asynccontextmanager
async def scripted_gateway(answer: bytes) -> AsyncIterator[str]:
    """Answer each request with these bytes, a status line first; give the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
