"""The console: what an operator sees and does, in a browser. A process of its own, beside `run` and `watch`.

`pages/` has a module for each page with its routes: what is asked and given, the role that may, and what is done.
`app.py` joins them to what each request passes (hosts, sizes, rates, sessions, CSRF, headers); `openapi.py` writes down
the API that the pages use, and anybody may; `static/` is what browsers load. Nothing in here is on a reading's way.
"""
