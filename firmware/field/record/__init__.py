"""What a technician leaves: a signed report, a page of it to print, and a label for the cabinet.

technician.py   the technician's key: made, kept under a password, read
page.py         a report as HTML that prints to one A4 page
label.py        a label with a QR code, for a label printer
"""
