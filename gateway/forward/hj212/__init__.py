"""HJ 212 platforms as sinks.

mapping   platform.toml: which terminal is which station, which code each quantity has
encode    a window -> its packets
session   one connection's logic: stop-and-wait, resends, answers
link      the sockets of any number of sessions, in one thread
sink      what the forwarder drives: batches into packets, packets through sessions
"""
