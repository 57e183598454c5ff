"""Forwarding: each sink reads the journal by cursors of its own, and is confirmed by its server before it moves on.

sink      what a sink is: it takes a batch and says what of it is safe
lanes     which records are next: fresh ones, the backlog after them, then what is to be handed over again
outbox    a sink's own file: cursors, packets under way, dead letters, health; schema/ explains it
          refeeds: orders to hand over again; held: events that wait for room; log_texts, text_packets, text_seconds
forwarder lanes > sink > cursors, without thread or connection; backoff, account: its pauses, what is told of it
runner    one thread a sink
kinds     the kinds of sinks that there are, one folder or module each:
          hj212/ (platforms), postgres/, mqtt_sink, nats_sink, parquet_sink; documents: a record as JSON
"""
