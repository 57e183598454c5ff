"""What a run leaves for people and for machines, in its folder.

result.py    what a run comes to: report.json, and the table on the console
stories.py   each window's way, from the evidence: closed, sent, journalled, at the platform
measures.py  what is measured, with unit and limit, said before it is taken
page.py      report.html, one file that needs nothing else; its parts: timeline.py, charts.py, axis.py, details.py
markup.py    HTML by construction, escaped; words.py has the texts; page.css and page.js go into the file
picture.py   day.png
junit.py     junit.xml
files.py     writes all of them
"""
