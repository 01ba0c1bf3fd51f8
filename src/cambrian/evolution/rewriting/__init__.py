"""From a parent to a variant: proposing, the evidence, the two rewriters, fingerprints."""
