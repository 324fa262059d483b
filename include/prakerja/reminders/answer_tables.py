"""What providers' answers and receipts mean, as tables for people: `docs/answers.md` has them."""

from __future__ import annotations

from collections.abc import Iterable

from prakerja.reminders import http_answers, smtp_replies
from prakerja.reminders.sms_providers import SmsProvider, list_providers, providers_folder

STATES = {
    "accepted": "taken",
    "delivered": "delivered",
    "temporary_failure": "failed temporarily: tried again",
    "permanent_failure": "failed for good: by e-mail where there is one",
    "queued": "not taken: stays queued",
    "unknown": "may have been taken: asked again only where the provider knows a key again",
    "refuses_us": "about us, not the message: stays queued, the run fails and says what to check",
    "by_status": "as the status says",
}


def smtp_table() -> list[str]:
    """Return a mail server's replies by command and code, in Markdown."""
    lines = ["| command | reply | the message | the session |", "|---|---|---|---|"]
    for command, replies in smtp_replies.REPLIES.items():
        for code, meaning in replies.items():
            state = STATES["refuses_us" if meaning.refuses_us else meaning.state]
            session = "closed" if meaning.must_close else "goes on, after RSET"
            lines.append(f"| {command} | {_class_of(code, replies)} | {state} | {session} |")
    return lines


def http_table() -> list[str]:
    """Return an SMS gateway's answers by status, in Markdown."""
    answers = http_answers.ANSWERS
    rows = [f"| {_class_of(status, answers)} | {STATES[word]} |" for status, word in answers.items()]
    return ["| status | the message |", "|---|---|", *rows]


def provider_table(provider: SmsProvider) -> list[str]:
    """Return what a provider's own statuses and codes mean, in Markdown."""
    rows = [
        *[("answer", f"status {status}", word) for status, word in provider.answers.by_status.items()],
        *[("answer", f"code {code}", word) for code, word in provider.answers.by_code.items()],
        *[("receipt", f"status {status}", word) for status, word in provider.receipts.statuses.items()],
        *[("receipt", f"code {code}", word) for code, word in provider.receipts.codes.items()],
    ]
    lines = ["| in | word | the message |", "|---|---|---|"]
    return lines + [f"| {where} | {word} | {STATES[means]} |" for where, word, means in rows]


def page() -> str:
    """Return every table under its title, in Markdown."""
    parts = ["## Mail servers (SMTP)", "", *smtp_table(), "", "## SMS gateways (HTTP)", "", *http_table()]
    for name in list_providers():
        provider = SmsProvider.from_file(providers_folder() / f"{name}.yaml")
        parts += ["", f"## `{name}`: {provider.name}", ""]
        parts += [f"Tried {provider.tried}. Source: {provider.source}", "", *provider_table(provider)]
    return "\n".join(parts)


def _class_of(code: str, among: Iterable[str]) -> str:
    if len(code) > 1:
        return code
    return f"{'other ' if any(other.startswith(code) and other != code for other in among) else ''}{code}xx"
