# The application. Pure modules run on MicroPython and CPython alike; what a board does is behind boards/README.md.
