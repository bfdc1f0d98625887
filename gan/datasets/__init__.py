"""Data sets: where each comes from, how it is checked, its splits and its scale."""
