"""What was measured, gathered."""
