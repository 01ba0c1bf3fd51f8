"""Who is asked: models by name, where they are, when they may be asked, recorded answers."""
