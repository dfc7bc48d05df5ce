"""``python -m linda_cli``, and the console script ``linda``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from linda_cli.console.output import fill_descriptors

    fill_descriptors()
    from linda_cli.app import app

    app()


if __name__ == "__main__":
    main()
