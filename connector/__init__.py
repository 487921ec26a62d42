"""Send campaigns through a messaging provider and get the truth back about every message."""
