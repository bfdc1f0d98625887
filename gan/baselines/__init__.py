"""What the adversarial nets are compared with."""
