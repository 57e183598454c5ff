"""The journal: what the gateway has accepted, durably, each record once.

journal.Journal   the one writer: commit a batch, get each record's outcome
reader.Reader     what sinks and `status` read, on connections of their own
schema/NNNN.sql   the stored format, one file a version; 0001.sql explains it
"""
