"""Learning to learn: few-shot tasks, families of functions, learning in context."""
