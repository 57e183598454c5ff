"""A private certificate authority for a fleet: who may connect to the broker, and which broker terminals believe.

`authority.py` makes certificates and revocation lists, without I/O; `folder.py` keeps them; `broker.py` writes the
broker's configuration for them. The authority's key is needed for issuing alone: keep its folder off the broker.
"""
