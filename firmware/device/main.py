# Where the board starts: it runs this file, and no other form of it. All else is loader/'s.
import gc

_LOADING_BYTES = 4096
# What a module leaves behind while it is loaded is collected before the next one is, or what stays would lie scattered
# over the whole heap, with no hole left for a frame.
gc.threshold(_LOADING_BYTES)

from loader import start  # noqa: E402


def main() -> None:
    start.run()


if __name__ == "__main__":
    main()
