"""HJ 212: the text protocol between a monitoring station and the regulator's platform. Pure: bytes in, bytes out.

packet.build     a data segment -> the bytes to send (strict, edition 2017)
parse.parse      the bytes of one packet -> what they say (liberal, editions 2005, 2017, 2025)
stream.Splitter  a TCP stream -> its packets, framed by length
split.split      items -> as many packets as they need; split.Joiner puts them together again
answers          9011, 9012, 9013, 9014
explain.explain  any captured bytes in words
"""
