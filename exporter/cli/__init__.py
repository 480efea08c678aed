"""The commands of `soak`: flags in, an exit code out."""
