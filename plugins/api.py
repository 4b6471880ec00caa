"""What a checker plugin sees: `checker`, `option`, `Passed`, `Failed`, `Target`. Nothing of the daemon's insides."""
