"""`oo`, also as `python -m oo_app`."""

import signal


def main() -> None:
    """Run the command line. Until all of it is loaded, which takes seconds, Ctrl-C ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from oo_app.cli import main as run  # noqa: PLC0415 -- what takes the seconds

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
