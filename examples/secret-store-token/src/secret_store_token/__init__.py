"""Sign-in with an access token that a secret store keeps in a file. Imports nothing: `hosts` has to load fast."""
