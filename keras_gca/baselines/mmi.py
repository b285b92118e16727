"""`python -m keras_gca.baselines.mmi`: a command that has moved and prints its new name."""

import sys

if __name__ == "__main__":
    print("mmi: this command has moved; run python -m keras_gca.mmi", file=sys.stderr)
    sys.exit(2)
