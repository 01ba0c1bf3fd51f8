"""Scores benchmark by benchmark: score vectors, and search beside sealed data."""
