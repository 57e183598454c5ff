"""What is wanted of terminals and not had yet: records that did not come, configurations that were not taken.

Each terminal is told when it is heard, because what goes down echoes a frame of a short while ago (FR-39).

ranges.py          ranges of record numbers
heard.py           what terminals say of it
store.py           what is wanted, how often it was sent, what came of it: durable (schema/0001.sql explains it)
requests.py        the table of requests: which records are asked for, and when again
configurations.py  the table of configurations: versions, and what the terminals say of them
desk.py            the above at work in the running gateway, in the pipeline's thread
"""
