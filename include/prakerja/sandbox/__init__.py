"""The sandbox: an SMS gateway over HTTP and a mail server over SMTP, real protocols, that deliver to nobody.

`gateway` takes SMS for two providers and shows the inbox as a page, `mail` takes e-mail, `postman` sends receipts,
`magic` says which numbers and addresses misbehave, and how; `inbox` keeps what was taken, once per key.
"""
