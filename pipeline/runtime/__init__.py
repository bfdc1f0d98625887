"""What a running stage needs."""
