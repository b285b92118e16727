"""`python -m keras_gca.baselines.mmi`: says that this command is now `python -m keras_gca.mmi`."""

import sys

if __name__ == "__main__":
    print("mmi: this command has moved; run python -m keras_gca.mmi", file=sys.stderr)
    sys.exit(2)
