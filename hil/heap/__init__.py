"""How much heap the whole terminal needs: from its image, on the 32-bit VM, whose objects are as large as the boards'.

trial.py    one life in a heap of a given size: nine meters, TLS with a client certificate, a week's backlog
search.py   the smallest heap in which that works
cli.py      `wattline hil heap`, which is `make heap`
"""
