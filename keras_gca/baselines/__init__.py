"""The former location of the `mmi` command, which has moved to `keras_gca.mmi`."""
