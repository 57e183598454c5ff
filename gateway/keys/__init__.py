"""Keys at rest: a file each, in plain, or sealed under a wrapping key that is kept somewhere else.

wrapping.py   the wrapping keys: where they come from, and what they seal and open
key_file.py   a key's file: read and written
stock.py      all key files of a gateway: sealed, unsealed, looked through
"""
