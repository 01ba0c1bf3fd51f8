"""How a stream is run and scored: tasks, prequential, episodes; views of data."""
