"""`python -m exporter.cli` is `soak`."""

from exporter.cli.main import main

main()
