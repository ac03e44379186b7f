"""A hospital with a day's work in it, for trials: made by the same commands that people give."""
