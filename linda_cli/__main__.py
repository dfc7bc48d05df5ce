"""``python -m linda_cli``, and the console script ``linda``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    import os

    if os.getpid() == 1:
        from linda_cli.as_init import fork_below_init

        fork_below_init()
    from linda_cli.console.own_arguments import hide_own_passwords

    typed = hide_own_passwords()
    from linda_cli.console.output import fill_descriptors

    fill_descriptors()
    from linda_cli.app import app

    app(args=typed)


if __name__ == "__main__":
    main()
