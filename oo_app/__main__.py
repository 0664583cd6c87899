"""`python -m oo_app` is `oo`."""

from oo_app.cli import main

main()
