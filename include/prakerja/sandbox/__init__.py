"""The sandbox: HTTP gateways and a mail server that speak the real protocols and deliver to nobody.

`gateway` takes messages over HTTP and shows the inbox as a page, `mail` takes e-mail, `receipt_webhooks` posts
receipts. `test_numbers` lists the numbers and addresses that fail. `inbox` stores messages, once per key.
"""
