# A start anew after so many seconds, whatever the program does: for a time in which nothing feeds a watchdog yet, or no
# program runs at all. Boards: a timer, which a loop in Python doesn't hold up; the unix port: SIGALRM.
import sys

_TIMER = 0 if sys.platform == "esp32" else -1  # ESP32: the first one; not each version has -1 there. RP2: soft
_timers: list = []  # type: ignore[type-arg]  # the one that runs; a timer without a name would be collected


def start(seconds: int) -> None:
    """The board starts anew in so many seconds, unless `stop` is called before. One at a time."""
    stop()
    if sys.platform == "linux":
        from loader import unix

        unix.alarm(seconds)
        return
    import machine

    timer = machine.Timer(_TIMER)
    timer.init(mode=machine.Timer.ONE_SHOT, period=1000 * seconds, callback=lambda _: machine.reset())
    _timers.append(timer)


def stop() -> None:
    """It does not, after all."""
    if sys.platform == "linux":
        from loader import unix

        unix.alarm(0)
        return
    while _timers:
        _timers.pop().deinit()
