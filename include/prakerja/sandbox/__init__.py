"""The sandbox: an SMS gateway over HTTP and a mail server over SMTP, real protocols, that deliver to nobody.

`gateway` takes SMS for two providers and shows the inbox as a page, `mail` takes e-mail, `receipt_webhooks` sends
receipts. `test_numbers` lists the numbers and addresses that misbehave. `inbox` keeps what was taken, once per key.
"""
