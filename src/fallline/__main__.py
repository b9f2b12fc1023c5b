"""``python -m fallline``: the command line."""

from fallline.cli.main import main

if __name__ == "__main__":
    main()
