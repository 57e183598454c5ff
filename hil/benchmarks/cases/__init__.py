"""One module a benchmark; its name is the benchmark's. A new file here is in the next run: nothing else lists them.

Each has `measure(options: Options) -> Result`, and a docstring whose first line says what is measured.
"""
