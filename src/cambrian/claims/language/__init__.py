"""A tiny language model, and what it can say of its own activations.

`corpus` (sentences and scored documents), `transformer` (the model and its training) and
`neurofeedback` (report and control). Only `papers.metacognition` needs it, and imports it when it
is run: torch is slow to import.
"""
