"""MQTT 5 as a client, over cext.mqtt_stream: what the intake and the northbound sink share.

packets.py        the packets that are sent seldom, and what reason codes mean
session.py        one connection's conversation, without I/O
publications.py   what is on its way to the broker at QoS 1, without I/O
connection.py     TCP or TLS, not blocking
publisher.py      these four as a connection that publishes and waits for the acknowledgements
"""
