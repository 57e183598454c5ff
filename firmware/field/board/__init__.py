"""A board on a serial port: what it is, what runs on it, and how files get on it and off again.

errors.py    what can go wrong, by what the technician does next
ports.py     which ports there are, who holds one, what permission is missing
link.py      one board on one port, by MicroPython's raw REPL
identify.py    which board it is, and what runs on it
install.py     the application put on it, only what differs
esp_image.py, flash_esp.py   MicroPython onto an ESP32-S3: what a file is, and esptool
uf2.py, flash_rp2.py         MicroPython onto an RP2350: what a file is, and its boot loader's drive
"""
