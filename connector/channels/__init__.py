"""Ways to tell operators: a signed webhook, a webhook as Slack takes it, and mail.

What is sent is an `Alert`: it names sources, accounts and numbers, never a person. No error holds an address, a secret
or an answer.
"""
