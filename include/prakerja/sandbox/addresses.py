"""Where the sandbox listens: a path for each HTTP gateway of `program.yaml`, and a port for mail."""

from __future__ import annotations

from dataclasses import dataclass

from prakerja.programme import programme
from prakerja.sandbox.shapes import TOKEN

ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class SandboxProvider:
    """What the sandbox plays for one HTTP gateway: `name` is its name in the inbox, `path` that of its URL."""

    name: str
    gateway: str
    path: str
    label: str


@dataclass(frozen=True)
class Addresses:
    """The sandbox's page, and its URL for each gateway, with the token."""

    page: str
    urls: dict[str, str]

    @classmethod
    def from_ports(cls, host: str, port: int, smtp_port: int) -> Addresses:
        """Return the addresses of a sandbox that listens on a host's two ports."""
        urls = {each.gateway: f"http://:{TOKEN}@{host}:{port}/{each.path}" for each in list_providers()}
        urls |= dict.fromkeys(programme().reminders.list_gateways("smtp"), f"smtp://{host}:{smtp_port}")
        return cls(f"http://{host}:{port}/", urls)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that make a sender use the sandbox."""
        return {f"PRAKERJA_{gateway.upper()}_URL": url for gateway, url in self.urls.items()}


def list_providers() -> list[SandboxProvider]:
    """Return what the sandbox plays, in the order in which senders try the gateways."""
    rules = programme().reminders
    return [
        # The inboxes of earlier versions name the providers of SMS without their channel.
        SandboxProvider(
            name=ordinal if channel == "sms" else f"{channel}_{ordinal}",
            gateway=gateway,
            path=f"{channel}/{ordinal}",
            label=f"{rules.channels[channel].label} by {ordinal}",
        )
        for channel in rules.list_channels("http")
        for ordinal, gateway in zip(ORDINALS, rules.channels[channel].gateways, strict=False)
    ]
