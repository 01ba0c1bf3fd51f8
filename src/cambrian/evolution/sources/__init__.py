"""Which source makes a proposal: a bandit over recombination and models, and what it goes by."""
