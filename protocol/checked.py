"""Parsed JSON, asked for key by key. What is missing, of another type, out of bounds or not asked for is an error that
names the file, the key, and what is allowed there.
"""

import json
import os

_BYTES_MAX = 16384  # 32 points with their meters take 8 KB


class ConfigError(ValueError):
    """A configuration that is not taken."""

    def __init__(self, file: str, key: str, found, allowed: str) -> None:  # type: ignore[no-untyped-def]
        super().__init__("%s: %s: %s; allowed / 允许: %s" % (file, key, _shown(found), allowed))
        self.file = file
        self.key = key
        self.allowed = allowed


class Table:
    """A JSON object. Every key that is there must be asked for, before `done`."""

    def __init__(self, file: str, where: str, data) -> None:  # type: ignore[no-untyped-def]
        self._file = file
        self._where = where
        self._asked: "list[str]" = []
        if not isinstance(data, dict):
            raise ConfigError(file, where or "(top)", data, "an object")
        self._data = data

    def done(self) -> None:
        for key in self._data:
            if key not in self._asked:
                raise self.error(key, self._data[key], "no other keys than %s" % ", ".join(self._asked))

    def only(self, keys) -> None:  # type: ignore[no-untyped-def]
        """Refuse what has another name than these, all of which may be left out."""
        for key in self._data:
            if key not in keys:
                raise self.error(key, self._data[key], "one of " + ", ".join(sorted(keys)))

    def error(self, key: str, found, allowed: str) -> ConfigError:  # type: ignore[no-untyped-def]
        return ConfigError(self._file, self._where + key, found, allowed)

    def get(self, key: str):  # type: ignore[no-untyped-def]
        self._asked.append(key)
        if key not in self._data:
            raise self.error(key, "missing", "it must be there, beside %s" % ", ".join(sorted(self._data)))
        return self._data[key]

    def has(self, key: str) -> bool:
        """True if a key that may be left out is there."""
        self._asked.append(key)
        return key in self._data

    def integer(self, key: str, minimum: int, maximum: int) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self.error(key, value, "an integer, %d to %d" % (minimum, maximum))
        return value

    def text(self, key: str, chars_max: int) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not 1 <= len(value) <= chars_max:
            raise self.error(key, value, "a text of 1 to %d characters" % chars_max)
        return value

    def divisor(self, key: str, whole: int) -> int:
        """An integer that divides `whole`."""
        value = self.integer(key, 1, whole)
        if whole % value:
            found = [str(one) for one in range(1, whole + 1) if whole % one == 0]
            raise self.error(key, value, "a divisor of %d: %s" % (whole, ", ".join(found)))
        return value

    def one_of(self, key: str, allowed):  # type: ignore[no-untyped-def]
        value = self.get(key)
        if isinstance(value, bool) or value not in allowed:
            raise self.error(key, value, ", ".join(str(one) for one in allowed))
        return value

    def table(self, key: str, read):  # type: ignore[no-untyped-def]
        """What `read` makes of the object under this key."""
        return self._read(self._where + key, self.get(key), read)

    def tables(self, key: str, maximum: int, read) -> list:  # type: ignore[no-untyped-def, type-arg]
        """What `read` makes of each object in the list under this key."""
        value = self.get(key)
        if not isinstance(value, list) or not 1 <= len(value) <= maximum:
            raise self.error(key, value, "a list of 1 to %d" % maximum)
        return [self._read("%s%s[%d]" % (self._where, key, at), one, read) for at, one in enumerate(value)]

    def _read(self, where: str, data, read):  # type: ignore[no-untyped-def]
        table = Table(self._file, where + ".", data)
        found = read(table)
        table.done()
        return found


def read_json(path: str):  # type: ignore[no-untyped-def]
    """What a file of JSON holds. Raises ConfigError."""
    return parse_json(_text(path), base_name(path))


def parse_json(text: str, file: str):  # type: ignore[no-untyped-def]
    """What a text of JSON holds; `file` is what errors call it. Raises ConfigError."""
    if not _is_whole(text):
        raise ConfigError(file, "(file)", "cut short, or more than one value", "one JSON object")
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigError(file, "(file)", "not JSON", "JSON")  # noqa: B904  its cause may show a secret


def _text(path: str) -> str:
    try:
        size = os.stat(path)[6]
        if size <= _BYTES_MAX:
            with open(path) as file:
                return file.read()
    except (OSError, UnicodeError) as error:
        raise ConfigError(base_name(path), "(file)", error, "a file of text that can be read")  # noqa: B904  it is named
    raise ConfigError(base_name(path), "(file)", "%d bytes" % size, "at most %d bytes" % _BYTES_MAX)


def _is_whole(text: str) -> bool:
    """True if every bracket is closed, the first one at the end: MicroPython's parser takes what is cut short."""
    depth = 0
    in_string = escaped = False
    for at, letter in enumerate(text):
        if in_string:
            in_string = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            in_string = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
            if depth <= 0:
                return depth == 0 and not text[at + 1 :].strip()
    return False


def base_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _shown(found) -> str:  # type: ignore[no-untyped-def]
    text = repr(found)
    return text if len(text) <= 80 else text[:77] + "..."
