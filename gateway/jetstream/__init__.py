"""The journal on several machines: a replicated stream of NATS JetStream, in which a record's name is its subject.

worker     intake > decode > verify > `journal.py` > acks. Holds no state: one message a subject, new ones discarded, is
           deduplication for ever by the engine, whichever worker a frame comes to. The ack follows the quorum's.
follower   `follower.py`: the stream > decode > verify > the SQLite journal > sinks, gaps, commands: as in the form for
           one machine, on any node, and rebuilt from the stream wherever it is lost.

What is kept (messages.py). A record is a message `STREAM.record.TERMINAL.EPOCH.SEQ`: the digest of its bytes, and the
frame that brought it, as it came (S-24). A frame of several records is a message of its own, which these name by its
digest; it is published first, so that no record is ever there without its frame.

What a worker does not know. A subject that is taken: the digest that stands there tells a repetition from a conflict,
which is evidence in quarantine and an alarm, as ever. What a step of energy registers says of its neighbours (S-17)
only marks a record, never refuses it, and does not depend on the order in which they come: so the follower finds it,
with the ledger that the SQLite journal has. The same goes for a log that is back and for windows to be placed.
"""
