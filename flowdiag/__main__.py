"""``python -m flowdiag``, for where the program itself is not on the path."""

from flowdiag.cli.start import main

if __name__ == "__main__":
    main()
