"""``python -m zeroentry.evidence``: the same commands, without loading the rest of the product."""

from zeroentry.evidence.app import app

if __name__ == "__main__":
    app(prog_name="python -m zeroentry.evidence")
