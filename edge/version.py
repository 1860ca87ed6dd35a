"""Names the version of the product that runs."""

from importlib.metadata import PackageNotFoundError, version


def product_version() -> str:
    """The version of the installed distribution; ``dev`` from a bare checkout."""
    try:
        return version("zero-entry")
    except PackageNotFoundError:
        return "dev"
