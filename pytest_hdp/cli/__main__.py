"""`python -m pytest_hdp.cli`: the `hdp` command where no script of that name is installed."""

import sys

from pytest_hdp.cli import main

if __name__ == "__main__":
    sys.exit(main())
