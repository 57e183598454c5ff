"""Keys and certificates of terminals changed without a visit (docs/decisions/0020-rotation.md).

Terminals are told when they are heard, because what goes down echoes a frame of a short while ago (FR-39).

agree.py    the next key computed: our half of the agreement
store.py    changes of keys, the keys themselves, certificates: durable (schema/0001.sql explains it)
changes.py  the table of changes: ordered, offered, agreed on, in use
keyring.py  the keys that were agreed on, and which count: over a registry
ahead.py    terminals whose key is newer than what is here, as after a restore
desk.py     the above at work in the running gateway, in the pipeline's thread

certificates.py, certificates_desk.py   the same for certificates, which are documents in versions as configurations are
"""
