"""``python -m zeroentry``: the same as the command."""

from zeroentry.cli import main

if __name__ == "__main__":
    main()
