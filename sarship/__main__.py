"""The command, as `python -m sarship`."""

from sarship.cli import main

if __name__ == "__main__":
    main(prog_name="sarship")
