"""A board on a serial port: what it is, what runs on it, and how files get on it and off again.

errors.py    what can go wrong, by what the technician does next
ports.py     which ports there are, who holds one, what permission is missing
raw_repl.py  MicroPython's raw REPL on an open port
link.py      one board on one port: code run, files put, got, compared
identify.py  which board it is, and what runs on it
install.py   the application put on it, only what differs
application.py  which application that is
data.py      the terminal's data on it
flash.py     MicroPython onto a board, by the chip that the file is for
esp_image.py, esp_partitions.py, flash_esp.py   onto an ESP32-S3: what a file is, its partitions, and esptool
root_esp.py                  the application with it, as one file system
uf2.py, flash_rp2.py         onto an RP2350: what a file is, and its boot loader's drive
"""
