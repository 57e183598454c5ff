"""Other gateways, and ours, fed the same readings through a real broker, with one upstream each.

readings.py     the windows, as each contender takes them, and what of them a platform has received
feed.py         the process that publishes them, made beforehand
platform.py     the process upstream: an MQTT server that records what comes before it acknowledges
contenders.py   how each is configured, started and read; registry of all
naive.py        the obvious Python gateway, a page of code
arena.py        one contender between broker and platform: what it cost, what was lost or doubled
"""
