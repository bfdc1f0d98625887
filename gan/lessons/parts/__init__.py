"""What single lessons are made of: games, worlds and measures, named after their lesson or after what they are."""
