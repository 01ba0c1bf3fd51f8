"""What was stated of edits, against what they did and what came of them."""
