"""The journal stage: every accepted record once, durably, with the frame it came in.

journal.py       the one writer: a batch a commit
blocks.py        the rows that frames are kept in
index.py         which records are in, and where: written from time to time, read at a start
chain.py         the chain of hashes over all that was accepted
retention.py     what need not be kept leaves it; that it was taken stays
audit.py         the chain verified, readings proven again
history.py       places for windows whose terminal did not know the time; placement.py is its rule
rows.py          records out of blocks; reader.py and spans.py are what others read with
migration.py     what SQL can't do between two versions
schema/NNNN.sql  the stored format, one file a version; the newest explains it
"""
