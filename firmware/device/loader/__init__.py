# What begins an application, and falls back to another one. It is at the root of the board's file system beside main.py
# and the application that the technician put there, which no update touches. docs/updates.md tells an update's life.
