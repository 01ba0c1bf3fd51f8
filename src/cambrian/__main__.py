"""`python -m cambrian` is `cambrian`."""

from __future__ import annotations

from cambrian.cli.main import main

if __name__ == "__main__":
    main()
