"""The tables and views of an archive, and the migrations that lead to them."""
