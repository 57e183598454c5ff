"""Alarms leave the gateway: each change of one is told once to each channel that wants it.

channels.py    channels.toml: where to, what of, and when not
post.py        in alarms.sqlite3: changes, the message under way, how each channel is
message.py     what is told, as JSON and as text
sender.py      what all senders have: webhook.py, broker.py (MQTT), mail.py, platform_log.py (HJ 212)
dispatcher.py  a thread a channel: commit, send, mark
"""
