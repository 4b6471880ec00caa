"""keepalived-shaped configuration files to frozen values. Knows neither ``actors`` nor ``plugins``."""
