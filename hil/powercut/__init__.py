"""Power cuts: the log, and an application's update, on the real VM, on LittleFS in a file, cut at every program and
erase of its flash (R-01, R-23).

plan.py      which cuts there are, and the id that names one
witness.py   what a log said that it did, held against what is in it after the cut
update_witness.py, releases.py  the same of updates, and what they bring
machine.py   the VM on a flash image, and the images that trials begin with
campaign.py  all of them, side by side, with progress
cli.py       `wattline hil powercut`, with --replay ID
"""
