"""HJ 212 platforms as sinks.

mapping   platform.toml: which terminal is which station, which code each quantity has
encode    a window -> its packets
session   one connection's logic: stop-and-wait, resends, answers
line      what waits on it, and what goes next; log texts that a platform does not answer step aside
channel   which packets of the outbox are put in line
text_lane log texts: what people have told becomes packets, what the platform refuses is given up
link      the sockets of any number of sessions, in one thread
sink      what the forwarder drives: batches into packets, packets through sessions
"""
