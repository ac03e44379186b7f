"""`python -m filmless.app.cli` is `filmless`."""

from filmless.app.cli import main

main()
