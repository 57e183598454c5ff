"""The live screen: points, values, each point's phases as a diagram, the bus with its meaning, and a log.

app.py       the screen (Textual): 80 x 24 and up, keys alone, 16 colours, so that it works over a serial line
rows.py      what stands in the table, the line above it and the log
diagram.py   voltages and currents of a point as arrows, in braille dots
traffic.py   a question and its answer in two lines
words.py     all texts, in both languages
"""
