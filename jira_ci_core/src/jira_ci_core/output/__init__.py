"""What is printed, without secrets, and files that a CI reads."""
