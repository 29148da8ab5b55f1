"""The network: the HTTP client that core and plugins share."""
