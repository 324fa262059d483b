"""The tables of `docs/answers.md`: what providers' answers and receipts mean."""

from __future__ import annotations

from collections.abc import Iterable

from prakerja.reminders import http_answers, smtp_replies
from prakerja.reminders.sms_providers import SmsProvider, list_providers, providers_folder

STATES = {
    "accepted": "accepted",
    "delivered": "delivered",
    "temporary_failure": "failed temporarily: sent again later",
    "permanent_failure": "failed permanently: sent on the next channel that reaches the recipient",
    "queued": "not accepted: stays queued",
    "unknown": "may have been accepted: sent again only if the provider recognizes a repeated key",
    "refuses_us": "refused because of us, not the message: stays queued, and the run fails and says what to check",
    "by_status": "decided by the status",
}


def smtp_table() -> list[str]:
    """Return the table of SMTP replies by command and code, as lines of Markdown."""
    lines = ["| command | reply | the message | the session |", "|---|---|---|---|"]
    for command, replies in smtp_replies.REPLIES.items():
        for code, meaning in replies.items():
            state = STATES["refuses_us" if meaning.refuses_us else meaning.state]
            session = "closed" if meaning.must_close else "continues after RSET"
            lines.append(f"| {command} | {_class_of(code, replies)} | {state} | {session} |")
    return lines


def http_table() -> list[str]:
    """Return the table of HTTP gateways' answers by status, as lines of Markdown."""
    answers = http_answers.ANSWERS
    rows = [f"| {_class_of(status, answers)} | {STATES[word]} |" for status, word in answers.items()]
    return ["| status | the message |", "|---|---|", *rows]


def provider_table(provider: SmsProvider) -> list[str]:
    """Return the table of a provider's own statuses and codes, as lines of Markdown."""
    rows = [
        *[("answer", f"status {status}", word) for status, word in provider.answers.by_status.items()],
        *[("answer", f"code {code}", word) for code, word in provider.answers.by_code.items()],
        *[("receipt", f"status {status}", word) for status, word in provider.receipts.statuses.items()],
        *[("receipt", f"code {code}", word) for code, word in provider.receipts.codes.items()],
    ]
    lines = ["| in | word | the message |", "|---|---|---|"]
    return lines + [f"| {where} | {word} | {STATES[meaning]} |" for where, word, meaning in rows]


def page() -> str:
    """Return every table under its heading, as Markdown."""
    parts = ["## Mail servers (SMTP)", "", *smtp_table(), "", "## Gateways (HTTP)", "", *http_table()]
    for name in list_providers():
        provider = SmsProvider.from_file(providers_folder() / f"{name}.yaml")
        parts += ["", f"## `{name}`: {provider.name}", ""]
        parts += [f"Tried {provider.tried}. Source: {provider.source}", "", *provider_table(provider)]
    return "\n".join(parts)


def _class_of(code: str, among: Iterable[str]) -> str:
    if len(code) > 1:
        return code
    return f"{'other ' if any(other.startswith(code) and other != code for other in among) else ''}{code}xx"
