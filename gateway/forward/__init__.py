"""Forwarding: each sink reads the journal by cursors of its own, and is confirmed by its platform before it moves on.

lanes     which records are next: those of fresh windows first, the backlog after
outbox    what is under way, durably; schema/0001.sql explains the file
forwarder lanes > encode > outbox > session, without thread or connection
runner    one thread a sink: the forwarder, and the connection to its platform
hj212_*   HJ 212-2017
"""
